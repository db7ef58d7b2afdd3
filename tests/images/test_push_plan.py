"""What a push sends: documents as they came, manifests of our own, and which of a name's images."""

import json

import pytest

from pier.images import push_plan
from pier.images.image import Image
from pier.images.layers import Layer
from pier.spec import digests, image_config, manifests, platforms
from pier.spec.errors import Conflict, NotFound
from pier.spec.manifests import Descriptor, Document

ONE, TWO = digests.of(b"1"), digests.of(b"2")


def image(architecture: str = "amd64", *diff_ids: str) -> Image:
    """An image of this architecture."""
    config = {"os": "linux", "architecture": architecture, "rootfs": {"type": "layers", "diff_ids": list(diff_ids)}}
    raw = json.dumps(config).encode()
    return Image(digests.of(raw), image_config.parse(raw), raw, (), (), 0, "")


def layer(diff_id: str, codec: str = "gzip") -> Layer:
    """A layer with a blob of its own."""
    return Layer(diff_id, digests.of(diff_id.encode()), 10, codec, 20)


def manifest(one: Image, *layers: Layer) -> Document:
    """An OCI manifest, spaced as none of ours is."""
    raw = manifests.render(
        Descriptor(manifests.OCI_CONFIG, one.id, len(one.raw)),
        [Descriptor(manifests.OCI_LAYER + "+gzip", each.blob, each.blob_size) for each in layers],
        docker=False,
    )
    return Document.of(raw.replace(b":", b" : ", 1), manifests.OCI_MANIFEST)


def index(*documents: Document) -> Document:
    """An index of these."""
    entries = [{"mediaType": one.media_type, "digest": one.digest, "size": one.size} for one in documents]
    raw = json.dumps({"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": entries}).encode()
    return Document.of(raw, manifests.OCI_INDEX)


def test_what_came_is_pushed_as_it_came() -> None:
    one, layers = image("amd64", ONE, TWO), [layer(ONE), layer(TWO)]
    document = manifest(one, *layers)
    part = push_plan.keep(one, layers, document, lambda _: True)
    assert part is not None
    assert part.manifest is document
    assert [blob.diff_id for blob in part.layers] == [ONE, TWO]


def test_a_manifest_whose_blobs_are_gone_will_not_do() -> None:
    one, layers = image("amd64", ONE), [layer(ONE)]
    assert push_plan.keep(one, layers, manifest(one, *layers), lambda _: False) is None
    assert push_plan.keep(one, layers, None, lambda _: True) is None
    assert push_plan.keep(one, [], manifest(one, *layers), lambda _: True) is None


@pytest.mark.parametrize(
    ("codecs", "media_type"),
    [(("gzip", "gzip"), manifests.DOCKER_MANIFEST), (("gzip", "zstd"), manifests.OCI_MANIFEST)],
)
def test_a_manifest_of_our_own_can_be_read_again(codecs: tuple[str, str], media_type: str) -> None:
    one, layers = image("amd64", ONE, TWO), [layer(ONE, codecs[0]), layer(TWO, codecs[1])]
    part = push_plan.make(one, layers)
    assert part == push_plan.make(one, layers)
    assert part.manifest.media_type == media_type
    parsed = manifests.parse(part.manifest.raw, media_type)
    assert isinstance(parsed, manifests.Manifest)
    assert [entry.digest for entry in parsed.layers] == [each.blob for each in layers]


AMD, ARM = image("amd64", ONE), image("arm64", ONE)
OF_AMD, OF_ARM = manifest(AMD, layer(ONE)), manifest(ARM, layer(ONE))
BOTH = index(OF_AMD, OF_ARM)


def test_an_index_whose_images_are_all_here_is_pushed_whole() -> None:
    choice = push_plan.choose("x", [BOTH, OF_AMD, OF_ARM], {AMD.id: AMD, ARM.id: ARM}, AMD, None)
    assert choice == push_plan.Choice(((AMD, OF_AMD), (ARM, OF_ARM)), (BOTH,))
    layers = [layer(ONE)]
    kept = [push_plan.keep(one, layers, document, lambda _: True) for one, document in choice.images]
    parts = [part for part in kept if part is not None]
    push_plan.check("x", choice, parts)
    with pytest.raises(Conflict, match="--platform"):
        push_plan.check("x", choice, [push_plan.make(AMD, layers), parts[1]])


def test_of_an_index_with_one_image_here_that_one_is_pushed() -> None:
    choice = push_plan.choose("x", [BOTH, OF_AMD], {AMD.id: AMD}, AMD, None)
    assert choice == push_plan.Choice(((AMD, OF_AMD),), instead_of=BOTH)


def test_of_an_index_with_several_but_not_all_here_one_must_be_chosen() -> None:
    third = manifest(image("s390x", ONE), layer(ONE))
    documents, here = [index(OF_AMD, OF_ARM, third), OF_AMD, OF_ARM], {AMD.id: AMD, ARM.id: ARM}
    with pytest.raises(Conflict, match="--platform"):
        push_plan.choose("x", documents, here, AMD, None)
    choice = push_plan.choose("x", documents, here, AMD, platforms.parse("linux/arm64"))
    assert choice == push_plan.Choice(((ARM, OF_ARM),))


def test_a_platform_that_is_not_here_is_named() -> None:
    with pytest.raises(NotFound, match="does not provide the specified platform"):
        push_plan.choose("x", [OF_AMD], {AMD.id: AMD}, AMD, platforms.parse("linux/arm64"))


def test_an_image_that_was_made_here_has_no_manifest_yet() -> None:
    assert push_plan.choose("x", [], {AMD.id: AMD}, AMD, None) == push_plan.Choice(((AMD, None),))


def test_layers_are_looked_for_in_other_repositories_of_the_same_registry() -> None:
    others = [("b", "b/x", [ONE]), ("a", "a/x", [ONE]), ("a", "a/y", [ONE, TWO]), ("a", "a/z", [TWO])]
    assert push_plan.mounts("a", "a/z", {ONE}, others) == {ONE: "a/x"}
    assert push_plan.mounts("a", "a/z", {TWO}, others) == {TWO: "a/y"}
