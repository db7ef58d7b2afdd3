"""`diff` and `commit` of an overlay's upper directory, made by a real overlay."""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pier.images.changes import Change, changes
from pier.images.commit import Commit, commit
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import import_
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import RunConfig
from tests.images.conftest import fingerprint
from tests.images.tars import Entry, directory, tar
from tests.images.test_import import pieces

pytestmark = pytest.mark.root

BASE = tar(
    directory(b"etc"), Entry(b"etc/a", b"a"), Entry(b"etc/b", b"b"), directory(b"old"), Entry(b"old/x", b"x"),
    directory(b"keep"), Entry(b"keep/y", b"y"),
)  # fmt: skip


class Overlay:
    """A container's root: the image's layers below, an upper directory of its own."""

    def __init__(self, base: Path, lowers: tuple[Path, ...]) -> None:
        self.upper, self.work, self.root = base / "upper", base / "work", base / "root"
        for path in (self.upper, self.work, self.root):
            path.mkdir(parents=True)
        lower = ":".join(map(str, reversed(lowers)))
        options = f"lowerdir={lower},upperdir={self.upper},workdir={self.work},redirect_dir=off,index=off"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)], check=True)

    def change(self) -> None:
        """What a container may do."""
        (self.root / "etc/a").write_text("changed")
        (self.root / "etc/b").unlink()
        (self.root / "new").mkdir()
        (self.root / "new/file").write_text("new")
        (self.root / "link").symlink_to("/etc/passwd")
        subprocess.run(["rm", "-r", str(self.root / "old")], check=True)
        (self.root / "old").mkdir()
        (self.root / "old/z").write_text("z")

    def close(self) -> None:
        """Take the mount away."""
        subprocess.run(["umount", str(self.root)], check=True)


@pytest.fixture
def base(images: Images) -> Image:
    """An image of one layer."""
    return images.by_id(asyncio.run(import_(pieces(BASE), images=images, repository="base")))


@pytest.fixture
def overlay(images: Images, base: Image, tmp_path: Path) -> Iterator[Overlay]:
    """A changed container of it."""
    made = Overlay(tmp_path / "container", images.layer_directories(base))
    try:
        made.change()
        yield made
    finally:
        made.close()


def diff(upper: Path, lowers: tuple[Path, ...]) -> list[Change]:
    """The changes of an upper directory."""
    fd = os.open(upper, os.O_RDONLY)
    try:
        return changes(fd, lowers)
    finally:
        os.close(fd)


def make(upper: Path, parent: Image | None, images: Images, **wish: object) -> Image:
    """Commit an upper directory."""
    fd = os.open(upper, os.O_RDONLY)
    try:
        return asyncio.run(commit(fd, parent, Commit(**{"config": RunConfig(), **wish}), images=images))  # type: ignore[arg-type]
    finally:
        os.close(fd)


def test_changes_are_told_as_docker_tells_them(images: Images, base: Image, overlay: Overlay) -> None:
    assert diff(overlay.upper, images.layer_directories(base)) == [
        Change(0, "/etc"),
        Change(0, "/etc/a"),
        Change(2, "/etc/b"),
        Change(1, "/link"),
        Change(1, "/new"),
        Change(1, "/new/file"),
        Change(0, "/old"),
        Change(1, "/old/z"),
    ]


def test_a_committed_image_shows_the_same_tree(images: Images, base: Image, overlay: Overlay, tmp_path: Path) -> None:
    image = make(overlay.upper, base, images, repository="made", tag="v1", author="me", changes=["CMD x"])
    assert image.tags == ("made:v1",)
    assert image.parent == base.id
    assert image.diff_ids[:1] == base.diff_ids
    assert image.config.run.cmd == ["/bin/sh", "-c", "x"]
    assert [step.author for step in image.config.history or []] == ["", "me"]
    again = Overlay(tmp_path / "again", images.layer_directories(image))
    try:
        assert _without_times(again.root) == _without_times(overlay.root)
        assert diff(again.upper, images.layer_directories(image)) == []
    finally:
        again.close()


def _without_times(root: Path) -> dict[str, tuple[object, ...]]:
    """The tree; an overlay's link counts and its root's times say nothing."""
    return {path: (*entry[:3], entry[5]) for path, entry in fingerprint(root).items()}


def test_nothing_changed_adds_no_layer(images: Images, base: Image, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    image = make(tmp_path / "empty", base, images)
    assert image.diff_ids == base.diff_ids
    assert (image.config.history or [])[-1].empty_layer
    assert len(os.listdir(images.layout.layers)) == 1


def test_a_bad_wish_is_refused_before_anything_is_read(images: Images, base: Image, tmp_path: Path) -> None:
    for wish in ({"repository": "Bad"}, {"changes": ["RUN x"]}, {"repository": "a", "tag": "b c"}):
        with pytest.raises(InvalidParameter):
            make(tmp_path, base, images, **wish)
    assert len(images.list()) == 1
