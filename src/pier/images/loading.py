"""`docker load`: an archive of images, Docker's or an OCI layout, compressed or not, becomes images.

The archive is first unpacked into a directory of its own, where every path that its documents name is looked up by
`openat2(RESOLVE_IN_ROOT)`: a `manifest.json` that names `/etc/shadow` finds nothing. Each layer then goes the way of
an import.
"""

import os
from collections.abc import AsyncIterator, Callable

import msgspec

from pier.images import archive
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import unpack_stream
from pier.images.saving import LEFT_OUT
from pier.images.threads import completed
from pier.spec import digests, image_config, manifests, references
from pier.spec.errors import InvalidParameter
from pier.spec.references import Reference
from pier.store.places import open_in_root

_CHUNK = 1 << 20
_MAX_IMAGES = 1000
_REF_NAME = "org.opencontainers.image.ref.name"
_CONTAINERD_NAME = "io.containerd.image.name"


class _Entry(msgspec.Struct, rename="pascal"):
    """One image of `manifest.json`."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


class _IndexEntry(msgspec.Struct):
    digest: str
    mediaType: str = ""  # noqa: N815 (the key of the specification)
    annotations: dict[str, str] | None = None


class _Index(msgspec.Struct):
    manifests: list[_IndexEntry]


class _LeftOut(msgspec.Struct):
    """What `pier image save --since` left out."""

    without: list[str] = []


async def load(source: AsyncIterator[bytes], *, images: Images, report: Callable[[str], None]) -> list[Image]:
    """Load every image of the archive; `report` gets Docker's lines (`Loaded image: …`).

    InvalidParameter for a broken archive.
    """
    with images.layers.workspace() as workspace:
        await archive.extract(source, workspace.directory)
        loader = _Loader(images, workspace.directory)
        loaded: list[Image] = []
        for entry in await completed(loader.entries):
            image = await loader.load(entry)
            loaded.append(image)
            for name in entry.repo_tags or []:
                report(f"Loaded image: {references.parse(name).with_default_tag().familiar}\n")
            if not entry.repo_tags:
                report(f"Loaded image ID: {image.id}\n")
        return loaded


class _Loader:
    def __init__(self, images: Images, root: int) -> None:
        self._images = images
        self._root = root

    def entries(self) -> list[_Entry]:
        """What the archive holds."""
        raw = self._read("manifest.json", image_config.MAX_BYTES)
        if raw is None:
            return self._oci_entries()
        try:
            found = msgspec.json.decode(raw, type=list[_Entry])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidParameter(f"invalid archive: manifest.json: {error}") from None
        if len(found) > _MAX_IMAGES:
            raise InvalidParameter("invalid archive: too many images")
        return found

    def _oci_entries(self) -> list[_Entry]:
        raw = self._read("index.json", image_config.MAX_BYTES)
        if raw is None:
            raise InvalidParameter("invalid archive: does not contain a manifest.json")
        try:
            index = msgspec.json.decode(raw, type=_Index)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidParameter(f"invalid archive: index.json: {error}") from None
        return [self._oci_entry(entry) for entry in index.manifests[:_MAX_IMAGES]]

    def _oci_entry(self, entry: _IndexEntry) -> _Entry:
        raw = self._document(entry.digest)
        manifest = manifests.parse(raw, entry.mediaType)
        if isinstance(manifest, manifests.Index):
            raise InvalidParameter("invalid archive: index inside an index")
        annotations = entry.annotations or {}
        name = annotations.get(_CONTAINERD_NAME, "")
        tags = [name] if name else [tag for tag in (annotations.get(_REF_NAME, ""),) if ":" in tag]
        return _Entry(_path(manifest.config.digest), [_path(layer.digest) for layer in manifest.layers], tags)

    def _document(self, digest: str) -> bytes:
        raw = self._read(_path(digest), manifests.MAX_BYTES)
        if raw is None or digests.of(raw) != digest:
            raise InvalidParameter(f"invalid archive: manifest {digest[:80]} is missing or broken")
        return raw

    def _read(self, path: str, limit: int) -> bytes | None:
        fd = self._open(path)
        if fd is None:
            return None
        with os.fdopen(fd, "rb") as stream:
            content = stream.read(limit + 1)
        if len(content) > limit:
            raise InvalidParameter(f"invalid archive: {path[:80]} is too large")
        return content

    def _open(self, path: str) -> int | None:
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

    async def load(self, entry: _Entry) -> Image:
        """One image: its layers, each checked against the configuration, then its record with its names."""
        names = [_name(text) for text in entry.repo_tags or []]
        raw = await completed(self._read, entry.config, image_config.MAX_BYTES)
        if raw is None:
            raise InvalidParameter(f"invalid archive: no configuration {entry.config[:80]!r}")
        diff_ids = image_config.parse(raw).diff_ids
        if len(diff_ids) != len(entry.layers):
            raise InvalidParameter(
                f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(entry.layers)}"
            )
        held: list[str] = []
        try:
            for diff_id, path in zip(diff_ids, entry.layers, strict=True):
                await self._layer(diff_id, path, held)
            image, _ = await completed(self._images.add, raw, names=names)
            return image
        finally:
            self._images.layers.release(held)
            await completed(self._images.collect, held)

    def _missing(self, diff_id: str, path: str) -> str:
        """Why a layer is not there: it may have been left out on purpose."""
        raw = self._read(LEFT_OUT, image_config.MAX_BYTES) or b"{}"
        try:
            left_out = msgspec.json.decode(raw, type=_LeftOut).without
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            return f"invalid archive: {LEFT_OUT}: {error}"
        if diff_id not in left_out:
            return f"invalid archive: no layer {path[:80]!r}"
        why = f"layer {diff_id} is not in it and not here, load the older image first"
        return f"the archive holds only a difference: {why}"

    async def _layer(self, diff_id: str, path: str, held: list[str]) -> None:
        if self._images.layers.hold(diff_id):
            held.append(diff_id)
            return
        fd = self._open(path)
        if fd is None:
            raise InvalidParameter(await completed(self._missing, diff_id, path))
        layer = await unpack_stream(_stream(fd), self._images, held)
        if layer.diff_id != diff_id:
            raise InvalidParameter(f"invalid diffID for layer: expected {diff_id!r}, got {layer.diff_id!r}")


async def _stream(fd: int) -> AsyncIterator[bytes]:
    with os.fdopen(fd, "rb", buffering=0) as stream:
        while piece := await completed(stream.read, _CHUNK):
            yield piece


def _name(text: str) -> Reference:
    reference = references.parse(text)
    if reference.digest is not None:
        raise InvalidParameter(f"invalid tag {text[:80]!r}")
    return reference.with_default_tag()


def _path(digest: str) -> str:
    return f"blobs/sha256/{digests.hexadecimal(digest)}"
