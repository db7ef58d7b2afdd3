"""Names that stand for several platforms, and what keeps documents and blobs."""

import time

import msgspec
import pytest

from pier.images.holding import Hold
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import render
from pier.spec import image_config, manifests, platforms, references
from pier.spec.errors import Conflict, NotFound
from pier.spec.image_config import RunConfig
from pier.spec.manifests import Descriptor, Document, PlatformField
from pier.store.records import Put
from tests.images.test_removal import make, remove

pytestmark = pytest.mark.root

HOST = platforms.host()
OTHERS = [one for one in map(platforms.parse, ("linux/amd64", "linux/arm64", "linux/s390x")) if one != HOST]
NAME = references.parse("multi:1")


class Origin:
    """An index of some platforms over one layer that is here, as a registry would have it."""

    def __init__(self, images: Images) -> None:
        self.images = images
        base = make(images, "base")
        self.layer = images.layer_of(base.diff_ids[0])
        self.raws = {one: self._config(one) for one in (HOST, *OTHERS)}
        self.documents = {one: self._manifest(raw) for one, raw in self.raws.items()}
        entries = [
            Descriptor(one.media_type, one.digest, one.size, PlatformField(there.architecture, there.os, there.variant))
            for there, one in self.documents.items()
        ]
        self.index = _document(manifests.Index(2, entries, manifests.OCI_INDEX), manifests.OCI_INDEX)

    def _config(self, platform: platforms.Platform) -> bytes:
        return render(RunConfig(cmd=[str(platform)]), [self.layer.diff_id], platform, "")

    def _manifest(self, raw: bytes) -> Document:
        config = Descriptor(manifests.OCI_CONFIG, manifests.Document.of(raw, "").digest, len(raw))
        layer = Descriptor(manifests.OCI_LAYER + "+gzip", self.layer.blob, self.layer.blob_size)
        return Document.of(manifests.render(config, [layer], docker=False), manifests.OCI_MANIFEST)

    def pull(self, platform: platforms.Platform) -> Image:
        """Record the image of one platform as a pull of the name does."""
        names = [NAME, NAME.with_digest(self.index.digest)]
        return self.images.add(self.raws[platform], names=names, manifest=self.documents[platform], target=self.index)[
            0
        ]


def _document(value: object, media_type: str) -> Document:
    return Document.of(msgspec.json.encode(value), media_type)


@pytest.fixture
def origin(images: Images) -> Origin:
    return Origin(images)


def test_a_name_resolves_to_the_hosts_platform_whatever_came_last(images: Images, origin: Origin) -> None:
    first = origin.pull(OTHERS[0])
    assert images.find("multi:1").id == first.id
    second = origin.pull(OTHERS[1])
    assert images.find("multi:1").id == second.id  # of those that do not run here, the last
    own = origin.pull(HOST)
    origin.pull(OTHERS[0])
    assert images.find("multi:1").id == own.id
    assert next(one.id for one in images.variants("multi:1")) == own.id
    assert {one.id for one in images.variants("multi:1")} == {own.id, first.id, second.id}
    assert images.by_id(first.id).variant_of == ("multi:1", f"multi@{origin.index.digest}")


def test_a_platform_chooses_a_variant(images: Images, origin: Origin) -> None:
    origin.pull(HOST)
    other = origin.pull(OTHERS[0])
    assert images.find("multi:1", OTHERS[0]).id == other.id
    with pytest.raises(NotFound) as caught:
        images.find("multi:1", OTHERS[1])
    assert caught.value.message == (
        f"image with reference multi:1 was found but does not provide the specified platform ({OTHERS[1]})"
    )


def test_documents_come_back_as_they_were(images: Images, origin: Origin) -> None:
    own = origin.pull(HOST)
    assert images.target("multi:1") == origin.index.digest
    assert images.target(own.id) == origin.documents[HOST].digest
    assert images.documents(origin.index.digest) == [origin.index, origin.documents[HOST]]
    assert images.target("base") == ""


def test_the_last_name_takes_every_variant_and_document_along(images: Images, origin: Origin) -> None:
    ids = {origin.pull(one).id for one in (HOST, *OTHERS)}
    remove(images, "base")
    deleted = {one.id for one in remove(images, "multi:1") if hasattr(one, "id")}  # type: ignore[attr-defined]
    assert ids <= deleted
    assert images.list() == []
    assert images.blobs.list() == []


def test_a_variant_in_use_stands_against_the_removal_of_its_name(images: Images, origin: Origin) -> None:
    origin.pull(HOST)
    other = origin.pull(OTHERS[0])
    with pytest.raises(Conflict, match="is using its referenced image"):
        images.remove("multi:1", force=False, prune=True, in_use=lambda one: ["c" * 64] if one == other.id else [])
    assert images.find("multi:1", OTHERS[0]).id == other.id


def test_single_variants_go_and_the_name_with_the_last(images: Images, origin: Origin) -> None:
    own = origin.pull(HOST)
    other = origin.pull(OTHERS[0])
    images.remove_variants("multi:1", [HOST], force=False, in_use=lambda _: [])
    assert images.find("multi:1").id == other.id
    with pytest.raises(NotFound):
        images.by_id(own.id)
    report = images.remove_variants("multi:1", [OTHERS[0]], force=False, in_use=lambda _: [])
    assert [one.name for one in report if hasattr(one, "name")] == ["multi:1", f"multi@{origin.index.digest}"]
    with pytest.raises(NotFound):
        images.find("multi:1")


def test_a_platform_that_only_runs_elsewhere_is_not_taken_for_another(images: Images, origin: Origin) -> None:
    own = origin.pull(HOST)
    with pytest.raises(NotFound, match="has no variant for platform linux/386"):
        images.remove_variants("multi:1", [platforms.parse("linux/386")], force=True, in_use=lambda _: [])
    assert images.find("multi:1").id == own.id


def test_a_variant_in_use_or_with_another_tag_is_removed_by_force_alone(images: Images, origin: Origin) -> None:
    own = origin.pull(HOST)
    images.tag("multi:1", "copy")
    with pytest.raises(Conflict, match="must be forced"):
        images.remove_variants("multi:1", [HOST], force=False, in_use=lambda _: [])
    images.remove("copy", force=False, prune=True, in_use=lambda _: [])
    stopped = {"in_use": lambda _: ["c" * 64]}
    with pytest.raises(Conflict, match="used by stopped container"):
        images.remove_variants("multi:1", [HOST], force=False, **stopped)
    with pytest.raises(Conflict, match="used by running container"):
        images.remove_variants("multi:1", [HOST], force=True, **stopped, running=lambda _: ["c" * 64])
    images.remove_variants("multi:1", [HOST], force=True, **stopped)
    assert images.by_id(own.id), "its container still needs the layers"
    with pytest.raises(NotFound):
        images.find("multi:1")


def test_a_tag_stands_for_what_its_source_does(images: Images, origin: Origin) -> None:
    own = origin.pull(HOST)
    origin.pull(OTHERS[0])
    images.tag("multi:1", "copy")
    assert images.target("copy") == origin.index.digest
    assert len(images.variants("copy")) == 2
    images.tag(own.id, "by-id")
    assert images.target("by-id") == origin.index.digest


def test_a_held_name_can_be_removed_and_is_whole_until_the_hold_ends(images: Images, origin: Origin) -> None:
    origin.pull(HOST)
    remove(images, "base")
    hold = Hold(images)
    hold.take("multi:1")
    remove(images, "multi:1")
    assert images.documents(origin.index.digest) == [origin.index, origin.documents[HOST]]
    assert images.blobs.size(origin.layer.blob) is not None
    hold.close()
    assert images.blobs.list() == []
    assert images.layers.all() == []


def test_a_push_notes_the_manifest_of_an_image_that_was_made_here(images: Images, origin: Origin) -> None:
    base = images.find("base")
    manifest = origin._manifest(base.raw)
    images.add(base.raw, manifest=manifest, names=[references.parse(f"base@{manifest.digest}")])
    assert images.find("base").manifest == manifest.digest
    assert images.document(manifest.digest) == manifest
    assert images.find("base").digests == (f"base@{manifest.digest}",)


def test_a_lease_keeps_layers_until_it_runs_out(images: Images) -> None:
    image = make(images, "one")
    layer = images.layer_of(image.diff_ids[0])
    images.leases.take("pull", [layer.diff_id], time.time_ns())
    remove(images, "one")
    images.sweep()
    assert images.layers.get(layer.diff_id) == layer
    images.reclaim()
    assert images.layers.all() == []
    assert images.blobs.list() == []


def test_what_somebody_holds_is_not_reclaimed(images: Images) -> None:
    digest = images.blobs.put(b"on its way")
    with images.blobs.held.on(digest):
        assert images.reclaim() == 0
        assert images.blobs.list() == [digest]
    assert images.reclaim() == len(b"on its way")


def test_parts_of_downloads_are_reclaimed_unless_they_are_being_written(images: Images) -> None:
    digest = Document.of(b"content", "").digest
    with images.blobs.writer(digest) as writer:
        writer.write(b"con")
        assert images.reclaim() == 0
    assert images.reclaim() == 3


def test_records_of_the_first_form_are_read(tmp_path: object, images: Images) -> None:
    image = make(images, "one")
    raw = msgspec.json.encode({"id": image.id, "raw": image.raw, "manifest": ""})
    images.write([Put("image", image.id, raw), Put("tag", "docker.io/library/one:latest", image.id.encode())])
    assert images.find("one").id == image.id
    assert images.target("one") == ""
    again = Images(images._records, images.layout)
    assert again.find("one").id == image.id
    assert image_config.parse(again.find("one").raw).diff_ids == image.diff_ids
