"""What a push sends, decided from what is here and nothing else: pure.

What came from a registry is pushed with the very documents it came with, as long as the blobs that they name are here;
for an image that was made here a schema 2 manifest is written, or OCI's where a layer is compressed with zstd.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pier.images.image import Image
from pier.images.layers import Layer
from pier.spec import digests, manifests
from pier.spec.errors import Conflict, NotFound
from pier.spec.manifests import Descriptor, Document, Manifest
from pier.spec.platforms import Platform

SENDABLE = frozenset({"gzip", "zstd"})  # what a manifest can name; every other layer is compressed anew


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer to send: its compressed bytes, and the layer that the progress names."""

    digest: str
    size: int
    diff_id: str


@dataclass(frozen=True, slots=True)
class Part:
    """One image of a push: its layers, lowest first, then its configuration, then its manifest."""

    image: Image
    layers: tuple[Blob, ...]
    manifest: Document


@dataclass(frozen=True, slots=True)
class Choice:
    """Which images are pushed, with the manifests they have; `indexes` follow them, the top one last.

    `instead_of` is the index that is not pushed because not all of its images are here.
    """

    images: tuple[tuple[Image, Document | None], ...]
    indexes: tuple[Document, ...] = ()
    instead_of: Document | None = None


def choose(
    name: str, documents: Sequence[Document], images: Mapping[str, Image], fallback: Image, platform: Platform | None
) -> Choice:
    """The images of a name: all of its index where every one is here, else the only one that is.

    `documents` are what the name leads to, the top one first; `images` those that are here, by id. NotFound where none
    has the `platform`, Conflict where several are here but not all, as in Docker.
    """
    found, indexes, complete = _sort(documents, images)
    if platform is not None:
        return _of_platform(name, found or [(fallback, None)], platform)
    if not indexes:
        return Choice(tuple(found) or ((fallback, None),))
    if complete:
        return Choice(tuple(found), tuple(reversed(indexes)))
    if len(found) > 1:
        raise Conflict(
            f"multiple images of {name} are here, but not all of its index: choose one with --platform, "
            f"or pull the others"
        )
    return Choice(tuple(found) or ((fallback, None),), instead_of=documents[0])


def _sort(
    documents: Sequence[Document], images: Mapping[str, Image]
) -> tuple[list[tuple[Image, Document | None]], list[Document], bool]:
    """Images with their manifests, the indexes, and whether the indexes name nothing else."""
    here = {document.digest for document in documents}
    found: list[tuple[Image, Document | None]] = []
    indexes: list[Document] = []
    complete = True
    for document in documents:
        parsed = manifests.parse(document.raw, document.media_type)
        if isinstance(parsed, Manifest):
            image = images.get(parsed.config.digest)
            complete = complete and image is not None
            found += [(image, document)] if image is not None else []
        else:
            indexes.append(document)
            complete = complete and all(entry.digest in here for entry in parsed.manifests)
    return found, indexes, complete


def _of_platform(name: str, found: Sequence[tuple[Image, Document | None]], platform: Platform) -> Choice:
    ranked = [
        (rank, number) for number, (one, _) in enumerate(found) if (rank := platform.rank(one.platform)) is not None
    ]
    if not ranked:
        raise NotFound(
            f"image with reference {name} was found but does not provide the specified platform ({platform})"
        )
    return Choice((found[min(ranked)[1]],))


def keep(
    image: Image, layers: Sequence[Layer], manifest: Document | None, has_blob: Callable[[str], bool]
) -> Part | None:
    """The part of a push that an image is with the manifest it came with; None where it has none that will do.

    `layers` stand lowest first.
    """
    kept = _kept(layers, manifest, has_blob) if manifest is not None else None
    return Part(image, kept, manifest) if kept is not None and manifest is not None else None


def make(image: Image, layers: Sequence[Layer]) -> Part:
    """The part of a push that an image is with a manifest of our own; every layer's codec is `SENDABLE`."""
    return Part(image, tuple(Blob(one.blob, one.blob_size, one.diff_id) for one in layers), render(image, layers))


def check(name: str, choice: Choice, parts: Sequence[Part]) -> None:
    """Return when the indexes of a push name what is pushed; Conflict when a manifest had to be made anew."""
    if choice.indexes and any(part.manifest is not own for part, (_, own) in zip(parts, choice.images, strict=True)):
        raise Conflict(f"not all layers of the index of {name} are here as they came: choose one with --platform")


def _kept(layers: Sequence[Layer], manifest: Document, has_blob: Callable[[str], bool]) -> tuple[Blob, ...] | None:
    """The blobs that a manifest names; None where one is not here any more."""
    parsed = manifests.parse(manifest.raw, manifest.media_type)
    if not isinstance(parsed, Manifest) or len(parsed.layers) != len(layers):
        return None
    if not all(has_blob(entry.digest) for entry in parsed.layers):
        return None
    return tuple(
        Blob(entry.digest, entry.size, layer.diff_id) for entry, layer in zip(parsed.layers, layers, strict=True)
    )


def render(image: Image, layers: Sequence[Layer]) -> Document:
    """A manifest of our own making: the same bytes for the same image and layers."""
    docker = all(layer.codec != "zstd" for layer in layers)
    kind = manifests.DOCKER_CONFIG if docker else manifests.OCI_CONFIG
    media_types = {"gzip": manifests.DOCKER_LAYER if docker else manifests.OCI_LAYER + "+gzip"}
    media_types["zstd"] = manifests.OCI_LAYER + "+zstd"
    entries = [Descriptor(media_types[layer.codec], layer.blob, layer.blob_size) for layer in layers]
    raw = manifests.render(Descriptor(kind, image.id, len(image.raw)), entries, docker=docker)
    return Document(raw, manifests.DOCKER_MANIFEST if docker else manifests.OCI_MANIFEST, digests.of(raw))


def mounts(
    domain: str, path: str, diff_ids: set[str], others: Sequence[tuple[str, str, Sequence[str]]]
) -> dict[str, str]:
    """For each layer the repository of the same registry that should have it too.

    `others` are repositories (domain, path) that are known to have an image with these layers.
    """
    found: dict[str, str] = {}
    for other_domain, other_path, layers in others:
        if other_domain == domain and other_path != path:
            for diff_id in layers:
                if diff_id in diff_ids:
                    found.setdefault(diff_id, other_path)
    return found
