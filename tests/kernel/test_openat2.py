"""Paths inside somebody else's tree: links stay inside, directories and files are made inside."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pier.kernel.openat2 import RESOLVE_BENEATH, make_directories, make_file, open_in_root, openat2


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """A root with links that lead out of it."""
    tree = tmp_path / "root"
    (tree / "inside").mkdir(parents=True)
    (tree / "inside/file").write_text("inside")
    (tree / "out").symlink_to("/outside")
    (tree / "up").symlink_to("../../../../outside")
    (tree / "dangling").symlink_to("/not/there")
    (tree / "loop").symlink_to("loop")
    (tree / "in").symlink_to("/inside")
    (tmp_path / "outside").mkdir()
    descriptor = os.open(tree, os.O_PATH | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def where(descriptor: int) -> str:
    """The path behind a descriptor, which is closed."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def test_links_are_followed_inside(root: int, tmp_path: Path) -> None:
    assert where(open_in_root(root, "/in/file")) == str(tmp_path / "root/inside/file")
    assert where(open_in_root(root, "../../inside")) == str(tmp_path / "root/inside")
    for name in ("out", "up"):
        with pytest.raises(FileNotFoundError):
            open_in_root(root, name)


def test_directories_are_made_inside(root: int, tmp_path: Path) -> None:
    assert where(make_directories(root, "/in/a/b")) == str(tmp_path / "root/inside/a/b")
    assert where(make_directories(root, "../x/../y")) == str(tmp_path / "root/y")
    for name in ("out/x", "up/x", "dangling/x"):
        with pytest.raises(FileNotFoundError):
            make_directories(root, name)
    with pytest.raises(NotADirectoryError):
        make_directories(root, "inside/file/x")
    with pytest.raises(OSError, match="symbolic links"):
        make_directories(root, "loop/x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_files_are_made_inside_and_never_overwritten(root: int, tmp_path: Path) -> None:
    assert where(make_file(root, "new/file")) == str(tmp_path / "root/new/file")
    assert where(make_file(root, "inside/file")) == str(tmp_path / "root/inside/file")
    assert (tmp_path / "root/inside/file").read_text() == "inside"
    with pytest.raises(FileNotFoundError):
        make_file(root, "dangling")


def test_beneath_refuses_what_leads_up(root: int) -> None:
    with pytest.raises(OSError, match="cross-device"):
        openat2(root, "../root", os.O_PATH, resolve=RESOLVE_BENEATH)
    with pytest.raises(OSError, match="cross-device"):
        openat2(root, "in", os.O_PATH, resolve=RESOLVE_BENEATH)


def test_descriptors_are_closed_on_exec(root: int) -> None:
    descriptor = open_in_root(root, "inside")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
