"""Walks and comparisons of trees that a container filled."""

import os
from pathlib import Path

import pytest

from pier.engine.changes import ADDED, DELETED, MODIFIED, changes
from pier.engine.tree_walk import tree_size, walk
from pier.store import trees


def test_a_walk_gives_parents_first_and_every_entry_once(tmp_path: Path) -> None:
    for path in ("b/d/e", "a", "b/c"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "b" / "file").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path)
    root = os.open(tmp_path, os.O_RDONLY)
    seen = ["/".join((*entry.parents, entry.name)) for entry in walk(root)]
    os.close(root)
    assert sorted(seen) == ["a", "b", "b/c", "b/d", "b/d/e", "b/file", "link"]
    assert seen.index("b") < seen.index("b/d") < seen.index("b/d/e")


def test_no_depth_is_too_deep(tmp_path: Path) -> None:
    depth = 1500
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    file = os.open("f", os.O_WRONLY | os.O_CREAT, dir_fd=here)
    os.write(file, b"12345")
    os.close(file)
    os.close(here)
    root = os.open(tmp_path, os.O_RDONLY)
    assert sum(1 for _ in walk(root)) == depth + 1
    assert tree_size(root) == 5
    os.close(root)
    trees.remove(tmp_path / "d")  # pytest's own sweep would not bear it
    trees.remove(tmp_path / "d")  # pytest's own cleaning cannot: it would fail every later session


def test_hard_links_count_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"x" * 10)
    root = os.open(tmp_path, os.O_RDONLY)
    assert tree_size(root) == 110
    os.close(root)


def test_a_directory_that_moves_ends_the_walk(tmp_path: Path) -> None:
    (tmp_path / "tree" / "a" / "b" / "c").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    root = os.open(tmp_path / "tree", os.O_RDONLY)
    with pytest.raises(OSError, match="moved"):
        for entry in walk(root):
            if entry.name == "c":
                os.rename(tmp_path / "tree" / "a" / "b", tmp_path / "elsewhere" / "b")
    os.close(root)


@pytest.mark.root
def test_changes_are_told_as_docker_tells_them(tmp_path: Path) -> None:
    image, upper = tmp_path / "image", tmp_path / "upper"
    for path in ("etc", "bin", "tmp", "kept/sub"):
        (image / path).mkdir(parents=True)
    for path in ("etc/passwd", "bin/yes", "bin/no"):
        (image / path).write_text("x")
    for path in ("etc", "bin", "proc", "new/dir"):
        (upper / path).mkdir(parents=True)
    for path in ("etc/hosts", "etc/passwd", "bin/more", ".dockerenv"):
        (upper / path).write_text("y")
    os.mknod(upper / "bin/yes", 0o020600, os.makedev(0, 0))
    os.mknod(upper / "bin/never", 0o020600, os.makedev(0, 0))
    told = {str(change["Path"]): change["Kind"] for change in changes(upper, [image])}
    assert told == {
        "/bin": MODIFIED,
        "/bin/more": ADDED,
        "/bin/yes": DELETED,
        "/etc": MODIFIED,
        "/etc/passwd": MODIFIED,
        "/new": ADDED,
        "/new/dir": ADDED,
    }
    (upper / "etc" / "passwd").unlink()
    assert "/etc" not in {change["Path"] for change in changes(upper, [image])}
