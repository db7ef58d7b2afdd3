"""Archives with several platforms, indexes inside indexes and manifests: what is chosen, and what stays bit for bit."""

import asyncio
import gzip
import io
import json
import tarfile

import pytest

from pier.images.image import Image
from pier.images.images import Images
from pier.images.loading import load
from pier.images.saving import save
from pier.spec import platforms
from pier.spec.errors import InvalidParameter, NotFound
from tests.images.tars import Entry, tar
from tests.images.test_import import pieces
from tests.registry.fake import digest_of

pytestmark = pytest.mark.root

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
NAME = {"io.containerd.image.name": "docker.io/library/many:1"}
LAYERS = {one: tar(Entry(b"arch", one.encode())) for one in ("amd64", "arm64")}


class Layout:
    """An OCI layout in the making."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}

    def put(self, content: bytes, media_type: str, **more: object) -> dict[str, object]:
        """Keep a blob; its descriptor."""
        digest = digest_of(content)
        self.files["blobs/sha256/" + digest[7:]] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content), **more}

    def image(self, architecture: str) -> dict[str, object]:
        """An image of one layer; the descriptor of its manifest, which is written as we never would."""
        layer = LAYERS[architecture]
        config = {
            "os": "linux",
            "architecture": architecture,
            "rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]},
        }
        manifest = {
            "schemaVersion": 2,
            "config": self.put(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [self.put(gzip.compress(layer, 9), "application/vnd.oci.image.layer.v1.tar+gzip")],
        }
        platform = {"os": "linux", "architecture": architecture}
        return self.put(json.dumps(manifest, indent=7).encode(), MANIFEST, platform=platform)

    def index(self, *entries: dict[str, object], **more: object) -> dict[str, object]:
        """An index as a blob."""
        return self.put(
            json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode(), INDEX, **more
        )

    def archive(self, *entries: dict[str, object]) -> bytes:
        """The archive whose `index.json` lists the entries."""
        files = {**self.files, "index.json": json.dumps({"schemaVersion": 2, "manifests": entries}).encode()}
        return tar(*[Entry(name.encode(), content) for name, content in files.items()])


def loaded(images: Images, content: bytes, platform: str = "") -> list[Image]:
    """Load an archive, all of it or for one platform."""
    wanted = platforms.parse(platform) if platform else None
    return asyncio.run(load(pieces(content, 100_000), images=images, report=lambda _: None, platform=wanted))


def of_several(depth: int) -> bytes:
    """One name, both platforms and an attestation, inside `depth` indexes."""
    layout = Layout()
    unknown = {"os": "unknown", "architecture": "unknown"}
    entry = layout.index(layout.image("arm64"), layout.image("amd64"), layout.put(b"{}", MANIFEST, platform=unknown))
    for _ in range(depth - 1):
        entry = layout.index(entry)
    return layout.archive({**entry, "annotations": NAME})


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_platform_that_is_asked_for_is_loaded(images: Images, depth: int, architecture: str) -> None:
    (image,) = loaded(images, of_several(depth), f"linux/{architecture}")
    assert image.tags == ("many:1",)
    assert image.config.architecture == architecture


def test_without_a_wish_the_hosts_variant_is_loaded(images: Images) -> None:
    (image,) = loaded(images, of_several(1))
    assert image.platform == platforms.host()


@pytest.mark.parametrize("content", [of_several(1), Layout().archive()], ids=["others", "nothing"])
def test_a_platform_that_is_not_there_is_told(images: Images, content: bytes) -> None:
    with pytest.raises(NotFound, match=r"no matching manifest|no image for platform linux/riscv64"):
        loaded(images, content, "linux/riscv64")
    assert images.list() == []


def test_indexes_without_end_are_refused(images: Images) -> None:
    with pytest.raises(InvalidParameter, match="too many indexes"):
        loaded(images, of_several(9))


def test_what_was_loaded_is_saved_with_its_manifest_bit_for_bit(images: Images) -> None:
    layout = Layout()
    entry = layout.image("amd64")
    (image,) = loaded(images, layout.archive({**entry, "annotations": NAME}))
    assert image.manifest == entry["digest"]

    async def work() -> bytes:
        return b"".join([piece async for piece in save(["many:1"], images=images, platform=image.platform)])

    with tarfile.open(fileobj=io.BytesIO(asyncio.run(work()))) as found:
        saved = {name: stream.read() for name in found.getnames() if (stream := found.extractfile(name))}
    (listed,) = json.loads(saved["index.json"])["manifests"]
    assert (listed["digest"], listed["mediaType"]) == (entry["digest"], MANIFEST)
    assert {name: saved[name] for name in layout.files} == layout.files
    with pytest.raises(NotFound):
        images.find("many:1", platforms.parse("linux/arm64"))
