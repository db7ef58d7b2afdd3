"""What the engine reads from the table of mounts holds for names with blanks and letters of any script."""

import os
from pathlib import Path

import pytest

from pier.engine import host_info
from pier.engine.gathering import _shared
from pier.engine.record import Mounted
from pier.spec import mountinfo
from pier.spec.containers import MountPoint

ROOT = "20 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"


def table(tmp_path: Path, point: Path, tags: str, kind: str) -> Path:
    """A table in which something is mounted at `point`."""
    name = str(point).replace(" ", "\\040")
    path = tmp_path / "mountinfo"
    path.write_bytes(os.fsencode(f"{ROOT}36 20 0:9 / {name} rw {tags}- {kind} none rw\n"))
    return path


@pytest.mark.parametrize("name", ["plain", "with blanks", "Бэкап"])
def test_names_of_mounts_are_read_alike(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    point = tmp_path / name
    point.mkdir()
    path = table(tmp_path, point, "master:2 ", "xfs")
    monkeypatch.setattr(mountinfo, "SELF", path)
    assert host_info.filesystem_of(point / "data", path) == "xfs"
    bind = Mounted(MountPoint(Type="bind", Source=str(point / "data"), Destination="/d", Propagation="rslave"))
    assert _shared([bind]) == {str(point / "data"): "slave"}
