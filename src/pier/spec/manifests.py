"""Manifests and indexes (OCI image-spec, Docker's schema 2): read strictly, so that a document is one thing only.

A document that could be read as both a manifest and an index, or whose own media type is not the one it was served
with, is refused (CVE-2021-41190).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from pier.spec import digests, platforms
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.platforms import Platform

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER: Final = "application/vnd.docker.image.rootfs.diff.tar.gzip"
OCI_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"

MANIFESTS: Final = (DOCKER_MANIFEST, OCI_MANIFEST)
INDEXES: Final = (DOCKER_LIST, OCI_INDEX)
ACCEPT: Final = ", ".join((*MANIFESTS, *INDEXES))
MAX_BYTES: Final = 4 << 20
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"
FOREIGN_LAYERS: Final = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
_LAYERS: Final = FOREIGN_LAYERS | frozenset(
    {
        DOCKER_LAYER,
        "application/vnd.docker.image.rootfs.diff.tar",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        OCI_LAYER,
        OCI_LAYER + "+gzip",
        OCI_LAYER + "+zstd",
    }
)

Size = Annotated[int, msgspec.Meta(ge=0, lt=1 << 50)]


class PlatformField(msgspec.Struct, omit_defaults=True):
    """The platform of an entry of an index."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, rename="camel", omit_defaults=True):
    """What something is, how large it is, and its digest.

    `urls` are not read: Pier fetches from the image's own registry only.
    """

    media_type: str
    digest: str
    size: Size
    platform: PlatformField | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, rename="camel", omit_defaults=True):
    """One image: its configuration and its layers, lowest first."""

    schema_version: int
    config: Descriptor
    layers: Annotated[list[Descriptor], msgspec.Meta(max_length=1000)]
    media_type: str = ""


class Index(msgspec.Struct, rename="camel", omit_defaults=True):
    """The images of one name, by platform."""

    schema_version: int
    manifests: Annotated[list[Descriptor], msgspec.Meta(max_length=10_000)]
    media_type: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest or index as it was served, and the digest of its bytes."""

    raw: bytes
    media_type: str
    digest: str

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.raw)

    @classmethod
    def of(cls, raw: bytes, media_type: str) -> "Document":
        """A document of our own making, or out of an archive."""
        return cls(raw, media_type, digests.of(raw))


class _Shape(msgspec.Struct, rename="camel"):
    schema_version: int = 0
    media_type: str = ""
    config: msgspec.Raw = msgspec.Raw()
    layers: msgspec.Raw = msgspec.Raw()
    manifests: msgspec.Raw = msgspec.Raw()
    fs_layers: msgspec.Raw = msgspec.Raw()


def parse(raw: bytes, media_type: str) -> Manifest | Index:
    """Read a document that was served as `media_type`. InvalidParameter when it is not exactly one of the two."""
    if len(raw) > MAX_BYTES:
        raise InvalidParameter(f"manifest is larger than {MAX_BYTES} bytes")
    try:
        shape = msgspec.json.decode(raw, type=_Shape)
        kind = _kind(shape, media_type.partition(";")[0].strip())
        document = msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid manifest: {error}") from None
    _check(document)
    return document


def media_type_of(raw: bytes) -> str:
    """The media type that a document says it has; where it says none, OCI's by its shape (it was optional there)."""
    try:
        shape = msgspec.json.decode(raw, type=_Shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid manifest: {error}") from None
    return shape.media_type or (OCI_INDEX if _given(shape.manifests) else OCI_MANIFEST)


def _kind(shape: _Shape, served: str) -> type[Manifest] | type[Index]:
    if served.startswith(_SCHEMA_1) or shape.schema_version == 1 or _given(shape.fs_layers):
        raise InvalidParameter(
            "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed"
        )
    if shape.schema_version != 2:
        raise InvalidParameter(f"unsupported schema version {shape.schema_version}")
    if _given(shape.manifests) and (_given(shape.layers) or _given(shape.config)):
        raise InvalidParameter("invalid manifest: both an index and an image manifest")
    if shape.media_type and shape.media_type != served:
        raise InvalidParameter(f"invalid manifest: media type {shape.media_type[:80]!r} was served as {served[:80]!r}")
    if served in MANIFESTS and not _given(shape.manifests):
        return Manifest
    if served in INDEXES and _given(shape.manifests):
        return Index
    raise InvalidParameter(f"unsupported manifest format: {served[:80]!r}")


def _given(value: msgspec.Raw) -> bool:
    return bytes(value) not in (b"", b"null")


def _check(document: Manifest | Index) -> None:
    if isinstance(document, Index):
        for entry in document.manifests:
            digests.check(entry.digest)
        return
    digests.check(document.config.digest)
    if document.config.media_type not in (DOCKER_CONFIG, OCI_CONFIG):
        raise InvalidParameter(
            f'encountered remote "{document.config.media_type[:80]}"(unknown) when fetching an image configuration'
        )
    for layer in document.layers:
        digests.check(layer.digest)
        if layer.media_type not in _LAYERS:
            raise InvalidParameter(f"unsupported layer type {layer.media_type[:80]!r}")


def best(index: Index, platform: Platform) -> Descriptor | None:
    """The image's entry that serves `platform` best, None when none does. Attestations serve no platform."""
    ranked = [(rank, entry) for entry in index.manifests if (rank := _rank(entry, platform)) is not None]
    return min(ranked, key=lambda pair: pair[0])[1] if ranked else None


def nested(index: Index, platform: Platform) -> list[Descriptor]:
    """The indexes inside an index that may have an image for `platform`."""
    return [
        entry
        for entry in index.manifests
        if entry.media_type in INDEXES and (entry.platform is None or _serves(entry.platform, platform) is not None)
    ]


def no_match(platform: Platform) -> NotFound:
    """The error, in Docker's words, where an index has nothing for a platform."""
    return NotFound(f"no matching manifest for {_docker_name(platform)} in the manifest list entries")


def _rank(entry: Descriptor, platform: Platform) -> int | None:
    if entry.media_type not in MANIFESTS or entry.platform is None:
        return None
    return _serves(entry.platform, platform)


def _serves(there: PlatformField, platform: Platform) -> int | None:
    return platform.rank(platforms.normalise(there.os, there.architecture, there.variant))


def _docker_name(platform: Platform) -> str:
    return f"{platform}/v8" if platform.architecture == "arm64" and not platform.variant else str(platform)


def render(config: Descriptor, layers: Sequence[Descriptor], *, docker: bool) -> bytes:
    """A manifest of our own making, for a push or an archive."""
    media_type = DOCKER_MANIFEST if docker else OCI_MANIFEST
    return msgspec.json.encode(Manifest(2, config, list(layers), media_type))
