"""Squash, differences, locks and archives of a difference through a daemon, with both command lines."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Result, run
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


def pier(daemon: Pierd, *arguments: str) -> Result:
    """Our command line against a daemon."""
    return run([sys.executable, "-m", "pier.cli.main", "-H", daemon.host, *arguments])


def layered(daemon: Pierd, name: str, *steps: str) -> str:
    """An image over busybox with a layer for each command; its id."""
    below = "busybox"
    for number, step in enumerate(steps):
        container = daemon.docker("run", "-d", below, "sh", "-c", step).ok()
        daemon.docker("wait", container).ok()
        below = daemon.docker("commit", container, f"{name}:{number}").ok()
        daemon.docker("rm", container).ok()
    daemon.docker("tag", below, name).ok()
    return below


def test_a_squashed_image_runs_and_has_the_same_files(pierd: Pierd) -> None:
    layered(pierd, "two", "echo a >/a; mkdir /d; echo b >/d/b", "rm /a; rm -r /d; mkdir /d; echo c >/d/c")
    made = pier(pierd, "image", "squash", "--from", "busybox", "-t", "flat:v1", "two").ok()
    view = json.loads(pierd.docker("image", "inspect", "flat:v1").ok())[0]
    assert view["Id"] == made
    assert len(view["RootFS"]["Layers"]) == 2
    assert pierd.docker("run", "--rm", "flat:v1", "sh", "-c", "ls /a; cat /d/*").stdout == "c\n"
    assert "merge sha256:" in pierd.docker("history", "--no-trunc", "flat:v1").ok()
    assert pier(pierd, "image", "diff", "two", "flat:v1").ok() == "0 added (0B), 0 changed (0B), 0 deleted (0B)"
    whole = pier(pierd, "image", "squash", "two").ok()
    assert len(json.loads(pierd.docker("image", "inspect", whole).ok())[0]["RootFS"]["Layers"]) == 1
    assert pierd.docker("run", "--rm", whole, "cat", "/d/c").stdout == "c\n"
    refused = pier(pierd, "image", "squash", "--from", "flat:v1", "two")
    assert refused.code == 1
    assert "is not a base of" in refused.stderr


def test_differences_are_told_in_lines_and_in_json(pierd: Pierd) -> None:
    layered(pierd, "changed", "echo hello >/new; echo 12345 >/etc/passwd; rm /etc/group")
    lines = pier(pierd, "image", "diff", "busybox", "changed").ok().splitlines()
    assert "A        +6B /new" in lines
    assert [line.split()[0] for line in lines if line.endswith(("/etc/passwd", "/etc/group"))] == ["D", "C"]
    assert lines[-1].startswith("1 added (+6B), ")
    documents = [
        json.loads(line)
        for line in pier(pierd, "image", "diff", "--format", "json", "busybox", "changed").ok().splitlines()
    ]
    assert {"kind": "added", "path": "/new", "old_size": 0, "size": 6} in documents
    assert documents[-1]["totals"]["added"] == {"count": 1, "bytes": 6}
    assert pierd.api("GET", "/pier/v1/images/diff?from=busybox").status == 400
    assert pierd.api("GET", "/pier/v1/images/diff?from=busybox&to=none").status == 404


def test_a_locked_image_stays(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd()
    daemon.docker("tag", "busybox", "other").ok()
    assert pier(daemon, "image", "lock", "busybox").ok() == "busybox"
    daemon.restart()
    words = "(cannot be forced) - image is locked against removal, see `pier image unlock`"
    image = json.loads(daemon.docker("image", "inspect", "busybox").ok())[0]
    assert image["Pier"] == {"Locked": True}
    for arguments in (["busybox"], ["-f", "other"], ["-f", image["Id"]], ["--no-prune", image["Id"][7:19]]):
        refused = daemon.docker("rmi", *arguments)
        assert refused.code == 1
        assert words in refused.stderr
    assert daemon.api("DELETE", "/images/busybox?force=1").status == 409
    assert daemon.docker("image", "prune", "-a", "-f").ok() == "Total reclaimed space: 0B"
    assert f"Kept locked images:\n{image['Id']}" in pier(daemon, "image", "prune", "-a", "-f").ok()
    heading, *rows = pier(daemon, "images").ok().splitlines()
    assert heading.split()[-1] == "LOCKED"
    assert [row.split()[-1] for row in rows] == ["yes", "yes"]
    assert pier(daemon, "images", "--format", "{{.Repository}} {{.Locked}}").ok().splitlines() == [
        "busybox yes",
        "other yes",
    ]
    assert "LOCKED" not in daemon.docker("images").ok()
    assert pier(daemon, "image", "unlock", "other").ok() == "other"
    assert "Pier" not in json.loads(daemon.docker("image", "inspect", "busybox").ok())[0]
    daemon.docker("rmi", "busybox", "other").ok()
    missing = pier(daemon, "image", "lock", "busybox")
    assert (missing.code, missing.stderr) == (1, "Error response from daemon: No such image: busybox:latest\n")


def test_a_locked_parent_outlives_its_child(pierd: Pierd) -> None:
    layered(pierd, "family", "echo 1 >/one", "echo 2 >/two")
    parent = json.loads(pierd.docker("image", "inspect", "family:0").ok())[0]["Id"]
    pierd.docker("rmi", "family:0").ok()
    pier(pierd, "image", "lock", parent).ok()
    pierd.docker("rmi", "family:1", "family").ok()
    pierd.docker("image", "inspect", parent).ok()
    pier(pierd, "image", "unlock", parent).ok()
    pierd.docker("rmi", parent).ok()


def test_an_archive_of_a_difference_needs_the_older_image(
    pierd: Pierd, make_pierd: Callable[..., Pierd], tmp_path: Path
) -> None:
    new = layered(pierd, "newer", "echo x >/x")
    path = tmp_path / "difference.tar"
    pier(pierd, "image", "save", "--since", "busybox", "-o", str(path), "newer").ok()
    assert os.path.getsize(path) < 100_000
    empty, with_base = make_pierd(image=False), make_pierd(image=False)
    refused = empty.docker("load", "-i", str(path))
    assert refused.code == 1
    assert "the archive holds only a difference: layer sha256:" in refused.stderr
    assert "is not in it and not here, load the older image first" in refused.stderr
    assert empty.docker("images", "-aq").stdout == ""
    base = subprocess.run(["docker", "-H", pierd.host, "save", "busybox"], check=True, capture_output=True).stdout
    with_base.docker("load", stdin=base).ok()
    with_base.docker("load", "-i", str(path)).ok()
    assert json.loads(with_base.docker("image", "inspect", "newer").ok())[0]["Id"] == new
    assert with_base.docker("run", "--rm", "newer", "cat", "/x").stdout == "x\n"
    assert pier(pierd, "image", "save", "--since", "none", "-o", str(path), "newer").code == 1
