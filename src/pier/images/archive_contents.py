"""What an unpacked archive of images holds, as its documents say: Docker's `manifest.json`, an OCI layout's
`index.json`, and files by the paths that these name, looked up by `openat2(RESOLVE_IN_ROOT)`.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from pier.images.saving import LEFT_OUT
from pier.spec import digests, image_config, manifests
from pier.spec.errors import InvalidParameter
from pier.spec.manifests import Descriptor, Document, Manifest
from pier.spec.platforms import Platform
from pier.store.places import open_in_root

_MAX_IMAGES = 1000
_MAX_DEPTH = 4
_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"
_T = TypeVar("_T")


class Entry(msgspec.Struct, rename="pascal"):
    """One image of an archive: the paths of its configuration and layers, and its names."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A manifest to which `index.json` leads."""

    manifest: Manifest
    document: Document
    tags: list[str]


class _Index(msgspec.Struct):
    manifests: list[Descriptor]


class _LeftOut(msgspec.Struct):
    """What `pier image save --since` left out."""

    without: list[str] = []


class Contents:
    """An unpacked archive below `root`, a directory's descriptor.

    Of an index inside an index, only the variant for `platform` counts.
    """

    def __init__(self, root: int, platform: Platform) -> None:
        self._root = root
        self._platform = platform
        self._documents: dict[str, Document] = {}

    def entries(self) -> list[Entry]:
        """The images. InvalidParameter for documents that are missing or broken."""
        raw = self.read("manifest.json", image_config.MAX_BYTES)
        index = self.read("index.json", image_config.MAX_BYTES)
        if raw is None:
            if index is None:
                raise InvalidParameter("invalid archive: does not contain a manifest.json")
            return [self._entry(found) for found in self._walk(index)]
        entries = _decode("manifest.json", raw, list[Entry])
        if len(entries) > _MAX_IMAGES:
            raise InvalidParameter("invalid archive: too many images")
        with suppress(InvalidParameter):  # then the images have no manifest of their own: Docker's part is whole
            for found in self._walk(index or b"{}"):
                self._entry(found)
        return entries

    def document(self, entry: Entry) -> Document | None:
        """The manifest that the archive holds of an image."""
        return self._documents.get(entry.config)

    def read(self, path: str, limit: int) -> bytes | None:
        """A file of at most `limit` bytes; None when there is none."""
        fd = self.open(path)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise InvalidParameter(f"invalid archive: {path[:80]} is too large")
        return content

    def open(self, path: str) -> int | None:
        """A descriptor of a file, which the caller closes; None when there is none."""
        try:
            seen = open_in_root(self._root, path, os.O_PATH)
        except (OSError, ValueError):
            return None
        try:
            if not os.path.isfile(f"/proc/self/fd/{seen}"):
                return None
            return os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_CLOEXEC)
        finally:
            os.close(seen)

    def why_missing(self, diff_id: str, path: str) -> str:
        """Why a layer is not there: it may have been left out on purpose."""
        raw = self.read(LEFT_OUT, image_config.MAX_BYTES) or b"{}"
        try:
            left_out = _decode(LEFT_OUT, raw, _LeftOut).without
        except InvalidParameter as error:
            return error.message
        if diff_id not in left_out:
            return f"invalid archive: no layer {path[:80]!r}"
        why = f"layer {diff_id} is not in it and not here, load the older image first"
        return f"the archive holds only a difference: {why}"

    def _entry(self, found: _Found) -> Entry:
        config = _path(found.manifest.config.digest)
        self._documents.setdefault(config, found.document)
        return Entry(config, [_path(layer.digest) for layer in found.manifest.layers], found.tags)

    def _walk(self, raw: bytes) -> Iterator[_Found]:
        index = _decode("index.json", raw, _Index)
        for entry in index.manifests[:_MAX_IMAGES]:
            if not _is_attestation(entry):
                yield self._resolve(entry)

    def _resolve(self, entry: Descriptor) -> _Found:
        tags = _tags(entry.annotations or {})
        for _ in range(_MAX_DEPTH):
            document = self._read_document(entry)
            parsed = manifests.parse(document.raw, entry.media_type)
            if isinstance(parsed, Manifest):
                return _Found(parsed, document, tags)
            nested = manifests.nested(parsed, self._platform)
            chosen = manifests.best(parsed, self._platform) or (nested[0] if nested else None)
            if chosen is None:
                raise manifests.no_match(self._platform)
            entry = chosen
        raise InvalidParameter("invalid archive: too many indexes inside each other")

    def _read_document(self, entry: Descriptor) -> Document:
        raw = self.read(_path(entry.digest), manifests.MAX_BYTES)
        if raw is None or digests.of(raw) != entry.digest:
            raise InvalidParameter(f"invalid archive: manifest {entry.digest[:80]} is missing or broken")
        return Document(raw, entry.media_type or manifests.media_type_of(raw), entry.digest)


def _is_attestation(entry: Descriptor) -> bool:
    return entry.platform is not None and entry.platform.architecture == "unknown"


def _tags(annotations: dict[str, str]) -> list[str]:
    name = annotations.get(_CONTAINERD_NAME, "")
    return [name] if name else [tag for tag in (annotations.get(_REF_NAME, ""),) if ":" in tag]


def _decode(name: str, raw: bytes, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid archive: {name}: {error}") from None


def _path(digest: str) -> str:
    return f"blobs/sha256/{digests.hexadecimal(digest)}"
