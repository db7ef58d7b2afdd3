"""The start budget: what is loaded for the commands that people type most."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.client.fake import Answer, FakeDaemon

SOURCE = Path(__file__).parents[2] / "src"
FORBIDDEN = [
    "asyncio",
    "ssl",
    "http",
    "http.client",
    "email",
    "dataclasses",
    "argparse",
    "typing",
    "inspect",
    "logging",
    "subprocess",
    "urllib",
    "urllib.parse",
    "datetime",
    "pathlib",
    "tempfile",
    "shutil",
    "threading",
    "decimal",
    "msgspec",
    "orjson",
    "aiohttp",
    "tarfile",
    "random",
    "uuid",
]
LIMIT = 75
PROGRAM = """
import os, sys
before = set(sys.modules)
sys.path.insert(0, sys.argv[1])
from pier.cli.main import run
code = run(["pier", *sys.argv[2:]])
sys.stdout.flush()
sys.stderr.write("\\n".join(sorted(set(sys.modules) - before)))
sys.exit(code)
"""


def loaded(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM, str(SOURCE), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split("\n"))


@pytest.mark.parametrize(
    "arguments", [("--help",), ("run", "--help"), ("ps",), ("ps", "--format", "json"), ("images",)]
)
def test_little_is_loaded_at_start(arguments: tuple[str, ...], daemon: Callable[..., FakeDaemon]) -> None:
    host = daemon(lambda _: Answer([])).host
    modules = loaded("-H", host, *arguments)
    assert not modules & set(FORBIDDEN)
    assert len(modules) <= LIMIT, sorted(modules)


def test_help_needs_no_client() -> None:
    assert not {name for name in loaded("--help") if name.startswith("pier.client")}
    assert "socket" not in loaded("--help")
