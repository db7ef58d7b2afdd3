"""A canary beside every tree that an archive is unpacked into, and stores of images in temporary directories."""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pier.images import unpacking
from pier.images.images import Images
from pier.images.workers import Outcome, judge
from pier.store.layout import Layout
from pier.store.records import Records

Unpack = Callable[..., Outcome]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A data root."""
    made = Layout(tmp_path / "data")
    made.prepare()
    return made


@pytest.fixture
def records(layout: Layout) -> Iterator[Records]:
    """Its records."""
    made = Records.open(layout.records)
    yield made
    made.close()


@pytest.fixture
def images(records: Records, layout: Layout) -> Images:
    """An empty store of images."""
    return Images(records, layout)


def fingerprint(root: Path) -> dict[str, tuple[object, ...]]:
    """What is in a tree: types, modes, owners, times and content."""
    found: dict[str, tuple[object, ...]] = {}
    for directory, names, files in os.walk(root):
        for name in [".", *names, *files]:
            path = Path(directory, name)
            status = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(status.st_mode) else ""
            key = str(path.relative_to(root))
            found[key] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_nlink, content)
    return found


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Files beside the unpacked tree that no archive may change, reach or add to."""
    outside = tmp_path / "outside"
    (outside / "etc").mkdir(parents=True)
    (outside / "etc" / "passwd").write_text("root:x:0:0::/:/bin/sh\n")
    (outside / "secret").write_text("secret\n")
    (outside / "secret").chmod(0o600)
    before = fingerprint(outside)
    host = {path: Path(path).lstat().st_mode for path in ("/etc/passwd", "/etc", "/tmp", "/")}
    yield outside
    assert fingerprint(outside) == before
    assert {path: Path(path).lstat().st_mode for path in host} == host


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """An empty directory beside the canary."""
    path = tmp_path / "tree"
    path.mkdir()
    return path


@pytest.fixture
def unpack(tree: Path, tmp_path: Path) -> Unpack:
    """Unpack an archive into the tree as a worker does, in this process: some hundred of them take a while to start."""

    def run(archive: bytes, *, layer: bool = True, **job: object) -> Outcome:
        stream = tmp_path / "archive.tar"
        stream.write_bytes(archive)
        source = os.open(stream, os.O_RDONLY)
        directory = os.open(tree, os.O_RDONLY)
        umask = os.umask(0)
        try:
            result = unpacking.run({"layer": layer, **job}, stream=source, directory=directory, notes=-1, blob=-1)
        finally:
            os.umask(umask)
            os.close(source)
            os.close(directory)
        return judge(json.dumps(result).encode())

    return run
