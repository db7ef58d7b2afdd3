"""Base images are built twice and are the same; a build that fails leaves nothing, here or in the daemon."""

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.commands import Result, run
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root


def bootstrap(daemon: Pierd, *arguments: str, timeout: float = 900) -> Result:
    """`pier image bootstrap` against a daemon."""
    command = [sys.executable, "-m", "pier.cli.main", "-H", daemon.host, "image", "bootstrap", "-q"]
    return run([*command, *arguments], timeout=timeout)


def leftovers() -> set[str]:
    """What a build may have left among temporary files."""
    return {name for name in os.listdir(tempfile.gettempdir()) if name.startswith(("pier-bootstrap-", "mmdebstrap."))}


def test_busybox_is_the_same_image_every_time(pierd: Pierd) -> None:
    first = bootstrap(pierd, "busybox", "-t", "one").ok()
    second = bootstrap(pierd, "busybox", "-t", "two:v2").ok()
    assert first == second
    assert pierd.docker("run", "--rm", "two:v2", "echo", "hello").ok() == "hello"
    created = json.loads(pierd.docker("image", "inspect", "one").ok())[0]["Created"]
    assert pierd.api("POST", "/pier/v1/images/import?created=x&repo=y", raw=b"").status == 400
    assert created < "2027"


def test_an_unsigned_mirror_leaves_nothing(pierd: Pierd, tmp_path: Path) -> None:
    before, images = leftovers(), pierd.docker("images", "-aq").ok()
    (tmp_path / "dists" / "bookworm").mkdir(parents=True)
    (tmp_path / "dists" / "bookworm" / "InRelease").write_text("Date: Sat, 10 Jan 2026 10:00:00 UTC\n")
    (tmp_path / "keyring").touch()
    refused = bootstrap(pierd, "--mirror", f"file://{tmp_path}", "--keyring", str(tmp_path / "keyring"), "debian")
    assert refused.code == 1
    assert "verifying the signature of bookworm" in refused.stderr
    assert (leftovers() - before, pierd.docker("images", "-aq").ok()) == (set(), images)


@pytest.mark.slow
def test_debian_is_the_same_image_every_time(pierd: Pierd) -> None:
    before, lists = leftovers(), set(os.listdir("/var/lib/apt/lists"))
    first = bootstrap(pierd, "debian:bookworm", "-p", "hello", "-t", "first").ok()
    second = bootstrap(pierd, "debian:bookworm", "-p", "hello", "-t", "second").ok()
    assert first == second
    assert pierd.docker("run", "--rm", "first", "hello").ok() == "Hello, world!"
    left = pierd.docker(
        "run", "--rm", "first", "sh", "-c", "ls /etc/machine-id /var/lib/apt/lists/*_*; find /var/log -type f"
    )
    assert left.stdout == ""
    refused = bootstrap(pierd, "debian:bookworm", "-p", "no-such-package", "-t", "third")
    assert (refused.code, refused.stderr) == (1, "the suite has no package no-such-package\n")
    assert pierd.docker("image", "inspect", "third").code == 1
    assert leftovers() == before
    assert set(os.listdir("/var/lib/apt/lists")) == lists, "the host's own package lists were touched"
