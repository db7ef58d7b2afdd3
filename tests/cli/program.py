"""The two programs beside each other: docker as it is on PATH, pier from the source tree, on one daemon."""

import re
import subprocess
import sys
from pathlib import Path

from tests.support.commands import Result, run
from tests.support.engines import Engine

SOURCE = Path(__file__).parents[2] / "src"
PIER = (sys.executable, "-m", "pier.cli.main")
TIMES = re.compile(r"(?:Less than a|About a|\d+) (?:seconds?|minutes?|hours?)(?: ago)? *")


def environment(engine: Engine) -> dict[str, str]:
    """Where both programs find the daemon and nothing of the user's."""
    return engine.client_environment() | {"PYTHONPATH": str(SOURCE), "COLUMNS": "80"}


def pier(engine: Engine, *arguments: str, stdin: str | bytes | None = None, cwd: str | None = None) -> Result:
    """Run pier against this engine."""
    return run([*PIER, *arguments], stdin=stdin, environment=environment(engine), cwd=cwd)


def docker(engine: Engine, *arguments: str, stdin: str | bytes | None = None, cwd: str | None = None) -> Result:
    """Run docker against this engine."""
    return run(["docker", *arguments], stdin=stdin, environment=environment(engine), cwd=cwd)


def comparable(result: Result) -> tuple[int, str, str]:
    """Exit code and output without what differs from call to call: ids, durations, the program's name."""
    texts = []
    for text in (result.stdout, result.stderr):
        text = re.sub(r"\bpier\b", "docker", text)
        text = re.sub(r"\b[0-9a-f]{64}\b", "<ID>", text)
        text = re.sub(r"\b[0-9a-f]{12}\b", "<SHORT>", text)
        text = re.sub(r"172\.\d+\.\d+\.\d+", "<ADDRESS>", text)
        timeless, found = TIMES.subn("<TIME>", text)
        texts.append(re.sub(" {2,}", "  ", timeless) if found else text)  # a column is as wide as its longest time
    return result.code, texts[0], texts[1]


def docker_version() -> str:
    """The version of the docker command line on PATH; empty where there is none."""
    try:
        done = subprocess.run(["docker", "--version"], capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        return ""
    found = re.search(r"version (\d+)\.", done.stdout)
    return found.group(1) if found else ""
