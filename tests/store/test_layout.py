"""Paths under the data root, and one daemon per root."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from pier.spec.errors import Conflict, InvalidParameter
from pier.store.layout import Layout
from pier.store.lock import Lock


def test_the_data_root_is_closed_to_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "root")
    layout.prepare()
    layout.prepare()
    for path in (layout.root, layout.layers, layout.blobs, layout.containers, layout.volumes, layout.tmp):
        assert stat.S_IMODE(path.stat().st_mode) & 0o027 == 0


@pytest.mark.parametrize("name", ["", "..", "a/b", "A" * 64, "0" * 63, "0" * 64 + "\n"])
def test_a_container_id_is_64_hexadecimal_digits(tmp_path: Path, name: str) -> None:
    layout = Layout(tmp_path)
    with pytest.raises(InvalidParameter):
        layout.container(name)
    with pytest.raises(InvalidParameter):
        layout.layer("sha256:" + name)


def test_a_layer_lies_under_its_diff_id(tmp_path: Path) -> None:
    assert Layout(tmp_path).layer("sha256:" + "0" * 64) == tmp_path / "layers" / ("0" * 64) / "diff"
    assert Layout(tmp_path).container("0" * 64) == tmp_path / "containers" / ("0" * 64)


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    with Lock(tmp_path), pytest.raises(Conflict, match=f"is already used by process {os.getpid()}$"):
        Lock(tmp_path)
    Lock(tmp_path).release()


def test_a_dead_holder_holds_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from pier.store.lock import Lock\n"
        "Lock(Path(sys.argv[1])); os._exit(9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment).returncode == 9
    with Lock(tmp_path):
        pass
