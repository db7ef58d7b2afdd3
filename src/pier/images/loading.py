"""`docker load`: an archive of images, Docker's or an OCI layout, compressed or not, becomes images.

The archive is first unpacked into a directory of its own, where every path that its documents name is looked up by
`openat2(RESOLVE_IN_ROOT)`: a `manifest.json` that names `/etc/shadow` finds nothing. Each layer then goes the way of
an import, two at a time.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable

from pier.images import archive
from pier.images.archive_contents import Contents, Entry
from pier.images.image import Image, platform_of
from pier.images.images import Images
from pier.images.importing import unpack_stream
from pier.images.layers import Layer
from pier.images.threads import completed
from pier.spec import image_config, manifests, platforms, references
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.manifests import Document
from pier.spec.platforms import Platform
from pier.spec.references import Reference

_AT_A_TIME = 2


async def load(
    source: AsyncIterator[bytes],
    *,
    images: Images,
    report: Callable[[str], None],
    platform: Platform | None = None,
) -> list[Image]:
    """Load every image of the archive, or those for `platform`; `report` gets Docker's lines (`Loaded image: …`).

    InvalidParameter for a broken archive, NotFound when nothing in it is for the platform.
    """
    with images.layers.workspace() as workspace:
        await archive.extract(source, workspace.directory)
        loader = _Loader(images, Contents(workspace.directory, platform or platforms.host()), platform)
        loaded: list[Image] = []
        for entry in await completed(loader.contents.entries):
            image = await loader.load(entry)
            if image is None:
                continue
            loaded.append(image)
            for name in entry.repo_tags or []:
                report(f"Loaded image: {references.parse(name).with_default_tag().familiar}\n")
            if not entry.repo_tags:
                report(f"Loaded image ID: {image.id}\n")
        if platform is not None and not loaded:
            raise NotFound(f"the archive holds no image for platform {platform}")
        return loaded


class _Loader:
    def __init__(self, images: Images, contents: Contents, platform: Platform | None) -> None:
        self.contents = contents
        self._images = images
        self._platform = platform
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    async def load(self, entry: Entry) -> Image | None:
        """One image: its layers, each checked against the configuration, then its record with its names.

        None when it is for another platform than was asked for.
        """
        names = [_name(text) for text in entry.repo_tags or []]
        raw = await completed(self.contents.read, entry.config, image_config.MAX_BYTES)
        if raw is None:
            raise InvalidParameter(f"invalid archive: no configuration {entry.config[:80]!r}")
        config = image_config.parse(raw)
        if self._platform is not None and self._platform.rank(platform_of(config)) != 0:
            return None
        diff_ids = config.diff_ids
        if len(diff_ids) != len(entry.layers):
            raise InvalidParameter(
                f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, got {len(entry.layers)}"
            )
        held: list[str] = []
        try:
            layers = await self._layers(dict(zip(diff_ids, entry.layers, strict=True)), held)
            manifest = _own_manifest(self.contents.document(entry), [layers[diff_id] for diff_id in diff_ids])
            image, _ = await completed(self._images.add, raw, names=names, manifest=manifest)
            return image
        finally:
            self._images.layers.release(held)
            await completed(self._images.collect, held)

    async def _layers(self, wanted: dict[str, str], held: list[str]) -> dict[str, Layer]:
        """The layers by diff id; the first that fails ends the others."""
        tasks = {diff_id: asyncio.create_task(self._layer(diff_id, path, held)) for diff_id, path in wanted.items()}
        try:
            return dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def _layer(self, diff_id: str, path: str, held: list[str]) -> Layer:
        known = self._images.layers.hold(diff_id)
        if known is not None:
            held.append(diff_id)
            return known
        async with self._turns:
            return await self._unpack(diff_id, path, held)

    async def _unpack(self, diff_id: str, path: str, held: list[str]) -> Layer:
        fd = self.contents.open(path)
        if fd is None:
            raise InvalidParameter(await completed(self.contents.why_missing, diff_id, path))
        try:
            layer = await unpack_stream(fd, self._images, held)
        finally:
            os.close(fd)
        if layer.diff_id != diff_id:
            raise InvalidParameter(f"invalid diffID for layer: expected {diff_id!r}, got {layer.diff_id!r}")
        return layer


def _own_manifest(document: Document | None, layers: list[Layer]) -> Document | None:
    """The archive's manifest, as long as the layers that are here are the blobs that it names."""
    if document is None:
        return None
    manifest = manifests.parse(document.raw, document.media_type)
    if isinstance(manifest, manifests.Index):
        return None
    return document if [one.digest for one in manifest.layers] == [one.blob for one in layers] else None


def _name(text: str) -> Reference:
    reference = references.parse(text)
    if reference.digest is not None:
        raise InvalidParameter(f"invalid tag {text[:80]!r}")
    return reference.with_default_tag()
