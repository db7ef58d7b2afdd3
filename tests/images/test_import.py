"""`docker import`: one layer, its configuration from the changes, and nothing left of what was broken."""

import asyncio
import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import import_
from pier.spec import digests
from pier.spec.errors import InvalidParameter, NoSpace
from pier.store.layout import Layout
from pier.store.records import Records
from tests.images.tars import Entry, directory, tar

pytestmark = pytest.mark.root

ROOT = tar(directory(b"bin"), Entry(b"bin/sh", b"#!", mode=0o755), Entry(b"etc/passwd", b"root:x:0:0::/:/bin/sh\n"))


async def pieces(content: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    """A stream as a client sends it."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


def load(images: Images, content: bytes = ROOT, *, repository: str = "base", **settings: object) -> Image:
    """Import an archive."""
    image_id = asyncio.run(import_(pieces(content), images=images, repository=repository, **settings))  # type: ignore[arg-type]
    return images.find(image_id)


def test_an_image_of_one_layer(images: Images) -> None:
    image = load(images, tag="v1", message="mine", changes=['CMD ["sh", "-c", "a b"]', "ENV A=1 B='2 3'"])
    (tree,) = images.layer_directories(image)
    assert (tree / "bin/sh").stat().st_mode & 0o777 == 0o755
    assert image.tags == ("base:v1",)
    assert image.id == digests.of(image.raw)
    assert image.diff_ids == (digests.of(ROOT),)
    assert image.config.run.cmd == ["sh", "-c", "a b"]
    assert image.config.run.env == ["A=1", "B=2 3"]
    assert image.size == 24
    raw = json.loads(image.raw)
    assert raw["history"] == [{"created": raw["created"], "comment": "mine"}]
    assert (raw["os"], raw["comment"]) == ("linux", "mine")


def test_a_compressed_archive_keeps_its_form_as_a_blob(images: Images) -> None:
    compressed = gzip.compress(ROOT)
    image = load(images, compressed)
    assert image.diff_ids == (digests.of(ROOT),)
    layer = images.layer_of(image.diff_ids[0])
    assert images.blobs.read(layer.blob, 1 << 20) == compressed


@pytest.mark.parametrize("pack", [bytes, bz2.compress, lzma.compress])
def test_an_archive_of_no_codec_of_layers_is_kept_plain(images: Images, pack: Callable[[bytes], bytes]) -> None:
    layer = images.layer_of(load(images, pack(ROOT)).diff_ids[0])
    assert images.blobs.read(layer.blob, 1 << 20) == ROOT
    assert (layer.codec, layer.blob, layer.blob_size) == ("", layer.diff_id, len(ROOT))


def test_without_a_name_it_is_dangling(images: Images) -> None:
    image = load(images, repository="")
    assert (image.tags, image.digests) == ((), ())
    assert images.list() == [image]


def test_a_name_moves_to_the_newest(images: Images) -> None:
    first, second = load(images), load(images, message="again")
    assert images.find("base") == second
    assert images.find(first.id).tags == ()


@pytest.mark.parametrize("content", [b"no archive" * 100, ROOT[:700] + b"x" * 100, gzip.compress(ROOT)[:50]])
def test_a_broken_archive_leaves_nothing(images: Images, content: bytes) -> None:
    with pytest.raises(InvalidParameter):
        load(images, content)
    for path in (images.layout.layers, images.layout.blobs, images.layout.tmp):
        assert os.listdir(path) == []
    assert images.list() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"repository": "Bad"}, "must be lowercase"),
        ({"tag": "b c"}, "invalid tag format"),
        ({"changes": ["RUN x"]}, "run is not a valid change command"),
        ({"changes": ["NOTHING x"]}, "unknown instruction: NOTHING"),
        ({"platform": "a b"}, "invalid component"),
    ],
)
def test_a_bad_wish_is_refused_before_a_byte_is_read(images: Images, settings: dict[str, object], message: str) -> None:
    async def never() -> AsyncIterator[bytes]:
        raise AssertionError("read")
        yield b""

    with pytest.raises(InvalidParameter, match=message):
        asyncio.run(import_(never(), images=images, **{"repository": "x", **settings}))  # type: ignore[arg-type]


def test_a_client_that_breaks_off_leaves_nothing(images: Images) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield ROOT[:600]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(import_(broken(), images=images, repository="x"))
    for path in (images.layout.layers, images.layout.blobs, images.layout.tmp):
        assert os.listdir(path) == []


def test_images_are_found_after_a_restart(images: Images, tmp_path: Path) -> None:
    image = load(images)
    images.close()
    records = Records.open(tmp_path / "copy.sqlite")
    records.close()
    again = _reopen(images.layout)
    assert again.find("base") == image


def _reopen(layout: Layout) -> Images:
    records = Records.open(layout.records)
    try:
        images = Images(records, layout)
        images.sweep()
        return images
    finally:
        records.close()


def test_a_start_removes_what_a_crash_left(images: Images) -> None:
    image = load(images)
    for path in (images.layout.tmp / "layer-x" / "diff", images.layout.layers / ("0" * 64) / "diff"):
        path.mkdir(parents=True)
    (images.layout.blobs / ("1" * 64)).touch()
    (images.layout.tmp / ("blob-" + "2" * 64)).touch()
    images.sweep()
    assert os.listdir(images.layout.tmp) == ["blob-" + "2" * 64]
    assert os.listdir(images.layout.layers) == [image.diff_ids[0][7:]]
    assert len(os.listdir(images.layout.blobs)) == 1


def test_after_a_power_loss_trees_are_unpacked_again(images: Images) -> None:
    image = load(images)
    (tree,) = images.layer_directories(image)
    (tree / "bin/sh").write_bytes(b"")
    images.layers._boot = "another"
    images.sweep()
    assert (tree / "bin/sh").read_bytes() == b"#!"
    assert images.layers.doubtful() == []


def test_a_layer_that_is_lost_takes_its_image_along(images: Images) -> None:
    image = load(images)
    os.unlink(images.blobs.path(images.layer_of(image.diff_ids[0]).blob))
    images.layers._boot = "another"
    images.sweep()
    assert images.list() == []
    assert os.listdir(images.layout.layers) == []


def test_what_was_settled_is_trusted_after_a_reboot(images: Images) -> None:
    load(images)
    images.layers.settle()
    images.layers._boot = "another"
    assert images.layers.doubtful() == []


def test_a_full_disk_gives_no_space_and_keeps_the_rest(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(tmp_path)], check=True)
    try:
        layout = Layout(tmp_path / "data")
        layout.prepare()
        records = Records.open(layout.records)
        images = Images(records, layout)
        kept = load(images)
        with pytest.raises(NoSpace):
            load(images, tar(Entry(b"large", os.urandom(9 << 20))), repository="large")
        assert images.list() == [kept]
        assert os.listdir(layout.tmp) == []
        records.close()
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_an_import_of_busybox_is_quick(images: Images, busybox_tar: Path) -> None:
    content = busybox_tar.read_bytes()

    def measure(number: int) -> float:
        started = time.perf_counter()
        load(images, content, repository=f"busybox{number}")
        return time.perf_counter() - started

    assert min(measure(number) for number in range(5)) < 5.0


def test_no_descriptor_and_no_process_is_left(images: Images) -> None:
    load(images)
    before = os.listdir("/proc/self/fd")
    for number in range(3):
        load(images, tar(Entry(b"f", b"%d" % number)))
        with pytest.raises(InvalidParameter):
            load(images, b"broken" * 200)
    assert os.listdir("/proc/self/fd") == before
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    names = [Path(f"/proc/{child}/cmdline").read_bytes() for child in children]
    assert not [name for name in names if b"worker.py" in name and sys.executable.encode() in name]
