"""One layer out of several, and the differences of two stacks of layers: the trees are those that overlay shows."""

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from pier.images import archive
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import unpack_stream
from pier.images.squash import layer_names, squash
from pier.spec import image_config, references
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import History, ImageConfig, RootFs
from tests.images.conftest import fingerprint
from tests.images.tars import Entry, directory, hard_link, symlink, tar
from tests.images.test_import import pieces
from tests.support.commands import run

pytestmark = pytest.mark.root

BASE = tar(
    directory(b"kept"),
    Entry(b"kept/file", b"1", mode=0o4755, uid=5, gid=6),
    Entry(b"kept/gone", b"2"),
    directory(b"opaque"),
    Entry(b"opaque/lower", b"3"),
    directory(b"replaced"),
    Entry(b"replaced/inside", b"4"),
    Entry(b"becomes-directory", b"5"),
    symlink(b"link", b"kept/file"),
)
SECOND = tar(
    Entry(b"kept/.wh.gone"),
    directory(b"opaque", 0o700),
    Entry(b"opaque/.wh..wh..opq"),
    Entry(b"opaque/upper", b"6"),
    Entry(b".wh.replaced"),
    Entry(b".wh.becomes-directory"),
    Entry(b"etc/hosts"),
    Entry(b"one", b"7", pax={b"SCHILY.xattr.user.note": b"text", b"mtime": b"5.25"}),
    hard_link(b"two", b"one"),
    Entry(b"short-lived", b"8"),
)
THIRD = tar(
    directory(b"replaced"),
    Entry(b"replaced/other", b"9"),
    directory(b"becomes-directory"),
    Entry(b"becomes-directory/file", b"10"),
    Entry(b".wh.short-lived"),
    Entry(b"link", b"a file now"),
    Entry(b"null", kind=b"3", device=(1, 3)),
    Entry(b"pipe", kind=b"6"),
)


def stacked(images: Images, *layers: bytes, name: str = "image") -> Image:
    """An image of some layers, with a step of its history for each."""

    async def work() -> list[str]:
        held: list[str] = []
        return [(await unpack_stream(pieces(one), images, held)).diff_id for one in layers]

    diff_ids = asyncio.run(work())
    steps = [History(created="2020-01-01T00:00:00Z", created_by=f"step {one}") for one in range(len(layers))]
    config = ImageConfig("amd64", "linux", rootfs=RootFs(diff_ids=diff_ids), history=steps, created=steps[-1].created)
    made, _ = images.add(image_config.render(config), names=[references.parse(name).with_default_tag()])
    images.layers.release(diff_ids)
    return made


def squashed(images: Images, image: Image, base: Image | None = None) -> Image:
    """The squashed image."""
    return asyncio.run(squash(image, base, images=images))


def shown(images: Images, image: Image, tmp_path: Path) -> dict[str, tuple[object, ...]]:
    """The tree as the kernel's overlay shows it: types, modes, owners, times, links, contents, attributes."""
    target, empty = tmp_path / "merged", tmp_path / "empty"
    for path in (target, empty):
        path.mkdir(exist_ok=True)
    lowers = [*map(str, reversed(images.layer_directories(image))), str(empty)]
    run(["mount", "-t", "overlay", "overlay", "-o", "lowerdir=" + ":".join(lowers), str(target)]).ok()
    try:
        notes = {str(path.relative_to(target)): os.listxattr(path, follow_symlinks=False) for path in target.rglob("*")}
        found = fingerprint(target)
        for name, facts in found.items():  # overlay counts a merged directory's links as one, whatever is in it
            found[name] = (*facts[:4], 1, facts[5]) if (target / name).is_dir() else facts
        return {name: (*facts, tuple(notes.get(name, ()))) for name, facts in found.items() if name != "."}
    finally:
        run(["umount", str(target)]).ok()


def test_one_layer_shows_the_same_tree(images: Images, tmp_path: Path) -> None:
    image = stacked(images, BASE, SECOND, THIRD)
    made = squashed(images, image)
    assert len(made.diff_ids) == 1
    assert shown(images, made, tmp_path) == shown(images, image, tmp_path)
    layer = images.layer_directories(made)[0]
    assert not (layer / "short-lived").exists()
    assert (layer / "one").stat().st_ino == (layer / "two").stat().st_ino
    assert os.getxattr(layer / "one", "user.note") == b"text"
    assert (layer / "one").stat().st_mtime_ns == 5_250_000_000


def test_above_a_base_its_layers_stay_and_what_hides_them(images: Images, tmp_path: Path) -> None:
    base = stacked(images, BASE, name="base")
    image = stacked(images, BASE, SECOND, THIRD)
    made = squashed(images, image, base)
    assert made.diff_ids[0] == base.diff_ids[0]
    assert len(made.diff_ids) == 2
    assert shown(images, made, tmp_path) == shown(images, image, tmp_path)


def test_the_history_tells_of_it(images: Images) -> None:
    base = stacked(images, BASE, name="base")
    image = stacked(images, BASE, SECOND, THIRD)
    steps = squashed(images, image, base).config.history or []
    assert [(step.created_by, step.empty_layer) for step in steps] == [
        ("step 0", False),
        ("step 1", True),
        ("step 2", True),
        ("pier image squash", False),
    ]
    assert steps[-1].comment == f"merge {image.id} to {base.id}"


def test_the_same_image_gives_the_same_image_again(images: Images) -> None:
    image = stacked(images, BASE, SECOND)
    first = squashed(images, image)
    assert squashed(images, image).id == first.id != image.id


def test_a_base_that_is_none_is_refused(images: Images) -> None:
    image, other = stacked(images, BASE, SECOND), stacked(images, THIRD, name="other")
    with pytest.raises(InvalidParameter, match="is not a base of"):
        squashed(images, image, other)
    with pytest.raises(InvalidParameter, match="nothing to squash"):
        squashed(images, image, image)
    assert len(images.layers.all()) == 3


def differences(images: Images, old: Image, new: Image) -> dict[str, tuple[object, ...]]:
    """What `compare_layers` tells, by path; the totals under an empty one."""
    names: list[Sequence[str]] = [layer_names(old.diff_ids), layer_names(new.diff_ids)]

    async def work() -> bytes:
        return b"".join([piece async for piece in archive.compare_layers(images.layout.layers, names[0], names[1])])

    documents = [json.loads(line) for line in asyncio.run(work()).splitlines()]
    totals = documents.pop()["totals"]
    told = {one["path"]: (one["kind"], one["old_size"], one["size"]) for one in documents}
    assert {kind: total["count"] for kind, total in totals.items()} == {
        kind: sum(one[0] == kind for one in told.values()) for kind in ("added", "changed", "deleted")
    }
    assert len(told) == len(documents)
    return told


def test_differences_are_those_of_the_trees(images: Images) -> None:
    old, new = stacked(images, BASE, name="old"), stacked(images, BASE, SECOND, THIRD)
    assert differences(images, old, new) == {
        "/becomes-directory": ("changed", 1, 0),
        "/becomes-directory/file": ("added", 0, 2),
        "/etc": ("added", 0, 0),
        "/etc/hosts": ("added", 0, 0),
        "/kept/gone": ("deleted", 1, 0),
        "/link": ("changed", 0, 10),
        "/null": ("added", 0, 0),
        "/one": ("added", 0, 1),
        "/opaque": ("changed", 0, 0),
        "/opaque/lower": ("deleted", 1, 0),
        "/opaque/upper": ("added", 0, 1),
        "/pipe": ("added", 0, 0),
        "/replaced/inside": ("deleted", 1, 0),
        "/replaced/other": ("added", 0, 1),
        "/two": ("added", 0, 1),
    }


def test_a_squashed_image_differs_in_nothing(images: Images) -> None:
    image = stacked(images, BASE, SECOND, THIRD)
    assert differences(images, image, squashed(images, image)) == {}


def test_content_owner_and_attributes_count_and_times_do_not(images: Images) -> None:
    old = stacked(
        images, tar(*(Entry(name, b"x", mtime=1) for name in (b"time", b"text", b"owner", b"note"))), name="old"
    )
    changed = (
        Entry(b"time", b"x", mtime=2),
        Entry(b"text", b"y", mtime=1),
        Entry(b"owner", b"x", uid=3, mtime=1),
        Entry(b"note", b"x", pax={b"SCHILY.xattr.user.a": b"b"}, mtime=1),
    )
    new = stacked(images, tar(*changed), name="new")
    assert set(differences(images, old, new)) == {"/text", "/owner", "/note"}


def test_names_that_are_no_text_and_deep_trees_are_compared(images: Images) -> None:
    deep = b"/".join([b"d" * 20] * 190)
    old, new = (
        stacked(images, tar(directory(b"a")), name="old"),
        stacked(images, tar(Entry(b"a/\xff\n\x1b", b"1"), Entry(b"deep", b"2", pax={b"path": deep}))),
    )
    told = differences(images, old, new)
    assert "/a/\udcff\n\x1b" in told
    assert "/" + deep.decode() in told
    assert len(squashed(images, new).diff_ids) == 1
