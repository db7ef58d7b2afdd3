"""`save` and `load`: there and back, read by skopeo, and archives that name what is not theirs."""

import asyncio
import gzip
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from pier.images.image import Image
from pier.images.images import Images
from pier.images.loading import load
from pier.images.saving import save
from pier.spec.errors import InvalidParameter, NotFound
from pier.store.layout import Layout
from pier.store.records import Records
from tests.images.tars import Entry, symlink, tar
from tests.images.test_import import pieces
from tests.images.test_removal import make
from tests.registry.fake import digest_of

pytestmark = pytest.mark.root

LAYER = tar(Entry(b"f", b"x"))
CONFIG = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)]}}).encode()


def saved(images: Images, *names: str) -> bytes:
    """The archive of some images."""

    async def work() -> bytes:
        return b"".join([piece async for piece in save(names, images=images)])

    return asyncio.run(work())


def loaded(images: Images, content: bytes, lines: list[str] | None = None) -> list[Image]:
    """Load an archive."""
    report = (lines if lines is not None else []).append
    return asyncio.run(load(pieces(content, 100_000), images=images, report=report))


def other(tmp_path: Path) -> tuple[Records, Images]:
    """A second store."""
    layout = Layout(tmp_path / "other")
    layout.prepare()
    records = Records.open(layout.records)
    return records, Images(records, layout)


def test_images_survive_the_way_there_and_back(images: Images, tmp_path: Path) -> None:
    one, two = make(images, "one", b"1"), make(images, "two:v2", b"2")
    content = saved(images, "one", "two:v2", one.id)
    records, target = other(tmp_path)
    lines: list[str] = []
    assert {image.id for image in loaded(target, gzip.compress(content), lines)} == {one.id, two.id}
    assert lines == ["Loaded image: one:latest\n", "Loaded image: two:v2\n"]
    assert target.find("one").raw == one.raw
    assert (target.layer_directories(target.find("two:v2"))[0] / "file").read_bytes() == b"2"
    records.close()


@pytest.mark.parametrize("form", ["docker-archive", "oci-archive"])
def test_skopeo_reads_our_archives_and_we_read_skopeos(images: Images, tmp_path: Path, form: str) -> None:
    image = make(images, "one", b"1")
    ours, theirs = tmp_path / "ours.tar", tmp_path / "theirs.tar"
    ours.write_bytes(saved(images, "one"))
    target = f"{form}:{theirs}:docker.io/library/two:v2"
    command = ["skopeo", "copy", "-q", "--insecure-policy", f"docker-archive:{ours}:one:latest", target]
    subprocess.run(command, check=True, capture_output=True)
    records, second = other(tmp_path)
    (found,) = loaded(second, theirs.read_bytes())
    assert found.diff_ids == image.diff_ids
    assert found.tags == ("two:v2",)
    records.close()


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """An archive with these files and links."""
    entries = [Entry(name.encode(), content) for name, content in members.items()]
    return tar(*entries, *(symlink(name.encode(), target.encode()) for name, target in (links or {}).items()))


def described(**changes: object) -> bytes:
    """A manifest.json of one image."""
    return json.dumps([{"Config": "c.json", "RepoTags": ["x:y"], "Layers": ["l.tar"], **changes}]).encode()


GOOD = {"c.json": CONFIG, "l.tar": LAYER}
BAD = {
    "nothing": {},
    "no json": {"manifest.json": b"{", **GOOD},
    "wrong types": {"manifest.json": b'[{"Config":1,"Layers":2}]', **GOOD},
    "a path of the host as configuration": {"manifest.json": described(Config="/etc/passwd"), **GOOD},
    "a path that leads out": {"manifest.json": described(Layers=["../../../../etc/passwd"]), **GOOD},
    "no such layer": {"manifest.json": described(Layers=["none"]), **GOOD},
    "a layer of another digest": {"manifest.json": described(), "c.json": CONFIG, "l.tar": tar(Entry(b"g", b"y"))},
    "too few layers": {"manifest.json": described(Layers=[]), **GOOD},
    "a bad name": {"manifest.json": described(RepoTags=["Bad:x"]), **GOOD},
    "a name with a digest": {"manifest.json": described(RepoTags=["x@sha256:" + "0" * 64]), **GOOD},
    "a nul": {"manifest.json": described(Config="a\0b"), **GOOD},
    "a directory": {"manifest.json": described(Config="."), **GOOD},
    "a bad diff id": {
        "manifest.json": described(),
        "c.json": json.dumps({"rootfs": {"diff_ids": ["sha256:../../x"]}}).encode(),
        "l.tar": LAYER,
    },
    "an index that is none": {"index.json": b'{"manifests":[{"digest":"sha256:../x"}]}'},
    "a broken layer": {"manifest.json": described(), "c.json": CONFIG, "l.tar": b"x" * 5000},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused_and_leaves_nothing(images: Images, canary: Path, name: str) -> None:
    with pytest.raises(InvalidParameter):
        loaded(images, archive(BAD[name]))
    assert images.list() == []
    for path in (images.layout.layers, images.layout.blobs, images.layout.tmp):
        assert os.listdir(path) == []


def test_links_inside_the_archive_stay_inside(images: Images) -> None:
    members = {"manifest.json": described(Layers=["l/layer.tar"]), "c.json": CONFIG, "real/layer.tar": LAYER}
    assert loaded(images, archive(members, {"l": "/real"}))[0].tags == ("x:y",)
    with pytest.raises(InvalidParameter, match="no configuration"):
        loaded(images, archive({"manifest.json": described(Config="p")}, {"p": "/etc/passwd"}))


def test_no_name_gives_the_id(images: Images) -> None:
    lines: list[str] = []
    (image,) = loaded(images, archive({"manifest.json": described(RepoTags=None), **GOOD}), lines)
    assert lines == [f"Loaded image ID: {image.id}\n"]


def test_saving_what_is_not_there(images: Images) -> None:
    with pytest.raises(NotFound):
        saved(images, "none")


def test_the_archive_is_dockers_and_ocis(images: Images) -> None:
    image = make(images, "one")
    with tarfile.open(fileobj=io.BytesIO(saved(images, "one"))) as found:
        names = found.getnames()
        stream = found.extractfile("manifest.json")
        assert stream is not None
        (entry,) = json.load(stream)
    assert names[-3:] == ["index.json", "manifest.json", "oci-layout"]
    assert entry["Config"] == "blobs/sha256/" + image.id[7:]
    assert entry["RepoTags"] == ["one:latest"]
    assert set(entry["Layers"]) < set(names)
