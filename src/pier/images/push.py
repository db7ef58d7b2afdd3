"""`docker push`: from a name to a registry that has it, layers sent side by side.

*Theory of operation.* `push_plan` decides what is sent. Each layer has one task: it is left out where the registry has
it, taken from another repository of the registry where that should have it, and else uploaded, in several attempts
that each carry on where the last broke off. Configuration, manifest and index follow, so that a name never stands for
something that is not whole. All that is sent is held meanwhile.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from pier.images import push_plan
from pier.images.blob_upload import BlobUpload, Pieces
from pier.images.holding import holding
from pier.images.image import Image
from pier.images.images import Images
from pier.images.layers import Layer
from pier.images.progress import LayerProgress, Progress, Report
from pier.images.push_plan import SENDABLE, Blob, Choice, Part
from pier.images.recompress import recompress
from pier.images.retries import pause_after, told
from pier.images.threads import completed
from pier.registry.registries import Endpoint, Registries
from pier.registry.uploads import Uploads
from pier.spec import references
from pier.spec.credentials import Credentials
from pier.spec.errors import NotFound, PierError, Unavailable
from pier.spec.manifests import Document
from pier.spec.platforms import Platform
from pier.spec.references import Reference

_MAX_MOUNTS = 8


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a tag stands for at the registry now. `instead_of` is the index in whose place one manifest was pushed."""

    tag: str
    document: Document
    instead_of: Document | None = None


@dataclass(frozen=True, slots=True)
class Pusher:
    """What every push of a daemon has in common."""

    images: Images
    registries: Registries
    slots: asyncio.Semaphore  # uploads at a time
    credentials: Credentials | None = None
    platform: Platform | None = None

    async def push(self, name: Reference, report: Report) -> Pushed:
        """Push one tag. Raises NotFound, Unauthorized, Forbidden, Unavailable… in Docker's words."""
        if self.images.resolve(name) is None:
            raise NotFound(f"tag does not exist: {name.familiar}")
        async with holding(self.images, name.familiar):
            choice = _choose(self.images, name, self.platform)
            parts = [await self._part(image, manifest) for image, manifest in choice.images]
            push_plan.check(name.familiar, choice, parts)
            pushed = await self._to_first(name, choice, parts, report)
            await completed(_record, self.images, name, choice, parts, pushed.document)
        return pushed

    async def _part(self, image: Image, manifest: Document | None) -> Part:
        layers = [self.images.layer_of(diff_id) for diff_id in image.diff_ids]
        kept = push_plan.keep(image, layers, manifest, self._has_blob)
        return kept or push_plan.make(image, [await self._sendable(layer) for layer in layers])

    async def _sendable(self, layer: Layer) -> Layer:
        return layer if layer.codec in SENDABLE else await completed(recompress, self.images, layer)

    def _has_blob(self, digest: str) -> bool:
        return self.images.blobs.size(digest) is not None

    async def _to_first(self, name: Reference, choice: Choice, parts: list[Part], report: Report) -> Pushed:
        """Push to the first address of the registry that answers."""
        diff_ids = {blob.diff_id for part in parts for blob in part.layers}
        sources = push_plan.mounts(name.domain, name.path, diff_ids, _repositories(self.images.list()))
        mounts = list(dict.fromkeys(sources.values()))[:_MAX_MOUNTS]
        sources = {diff_id: source for diff_id, source in sources.items() if source in mounts}
        failure: PierError | None = None
        for endpoint in await self.registries.endpoints(name.domain):
            if endpoint.mirror:
                continue
            async with Uploads(endpoint, name, self.registries, self.credentials, mounts=mounts) as uploads:
                try:
                    await uploads.greet()
                except Unavailable as error:
                    failure = failure if failure is not None and endpoint.scheme == "http" else error
                    continue
                work = _Push(self, uploads, endpoint, sources, report)
                return await work.run(name, choice, parts)
        raise failure or Unavailable(f"no address to push {name.familiar} to")


class _Push:
    """One push at one address."""

    def __init__(
        self, pusher: Pusher, uploads: Uploads, endpoint: Endpoint, sources: dict[str, str], report: Report
    ) -> None:
        self._pusher = pusher
        self._uploads = uploads
        self._endpoint = endpoint
        self._sources = sources
        self._report = report
        self._pieces = Pieces()

    async def run(self, name: Reference, choice: Choice, parts: list[Part]) -> Pushed:
        blobs = {blob.digest: blob for part in parts for blob in reversed(part.layers)}
        lines = {digest: LayerProgress(self._report, blob.diff_id) for digest, blob in blobs.items()}
        for line in lines.values():
            line.tell("Preparing")
        try:
            async with asyncio.TaskGroup() as tasks:
                for digest, blob in blobs.items():
                    tasks.create_task(self._layer(blob, lines[digest]))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from group
        top = choice.indexes[-1] if choice.indexes else parts[0].manifest
        for part in parts:
            await self._document(part.image)
        for document in (*(part.manifest for part in parts), *choice.indexes):
            tag = name.tag if document is top else None
            await self._uploads.put_manifest(tag or document.digest, document.raw, document.media_type)
        return Pushed(name.tag or "", top, choice.instead_of)

    async def _document(self, image: Image) -> None:
        if not await self._uploads.has_blob(image.id):
            await self._uploads.put_document(image.id, image.raw)

    async def _layer(self, blob: Blob, lines: LayerProgress) -> None:
        if self._pusher.slots.locked():
            lines.tell("Waiting")
        async with self._pusher.slots:
            for attempt in range(1, self._pusher.registries.attempts + 1):
                try:
                    await self._upload(blob, lines)
                    return
                except Unavailable as error:
                    if attempt == self._pusher.registries.attempts:
                        raise
                    pause = pause_after(attempt, error)
                lines.tell(told(pause))
                await asyncio.sleep(pause)

    async def _upload(self, blob: Blob, lines: LayerProgress) -> None:
        if await self._uploads.has_blob(blob.digest):
            lines.tell("Layer already exists")
            return
        source = self._sources.get(blob.diff_id, "")
        location = await self._uploads.begin(blob.digest, source)
        if not location:
            lines.tell(f"Mounted from {source}")
            return
        lines.figure("Pushing", 0, blob.size)
        upload = BlobUpload(
            self._pusher.images, self._uploads, blob, lines, self._pieces, self._pusher.registries.attempts
        )
        location = await upload.send(location)
        await self._uploads.finish(location, blob.digest)
        lines.tell("Pushed")


def _choose(images: Images, name: Reference, platform: Platform | None) -> Choice:
    target = images.target(name.familiar) or images.find(name.familiar).manifest
    documents = images.documents(target) if target else []
    variants = {image.id: image for image in images.variants(name.familiar)}
    return push_plan.choose(name.familiar, documents, variants, images.find(name.familiar), platform)


def _repositories(images: Iterable[Image]) -> list[tuple[str, str, tuple[str, ...]]]:
    """The repositories that images are known to be in, because they came from there or were pushed there."""
    names = [(references.parse(name), image.diff_ids) for image in images for name in image.digests]
    return [(name.domain, name.path, diff_ids) for name, diff_ids in names]


def _record(images: Images, name: Reference, choice: Choice, parts: list[Part], top: Document) -> None:
    """In a thread: note the manifest that an image was pushed with, and the digest by which the registry knows it."""
    reference = Reference(name.domain, name.path, None, top.digest)
    for part in parts:
        own = part.manifest
        images.add(part.image.raw, names=[reference], manifest=own, target=top, between=choice.indexes)


def messages(pushed: Pushed) -> list[Progress | dict[str, object]]:
    """The last lines of a push, in Docker's words."""
    document = pushed.document
    size = len(document.raw)
    aux: list[dict[str, object]] = [{"Tag": pushed.tag, "Digest": document.digest, "Size": size}]
    if pushed.instead_of is not None:
        aux.append(
            {
                "manifestPushedInsteadOfIndex": True,
                "originalIndex": _descriptor(pushed.instead_of),
                "selectedManifest": _descriptor(document),
            }
        )
    line = Progress(f"{pushed.tag}: digest: {document.digest} size: {size}")
    told: list[Progress | dict[str, object]] = [{"progressDetail": {}, "aux": one} for one in aux]
    return [line, *told]


def _descriptor(document: Document) -> dict[str, object]:
    return {"mediaType": document.media_type, "digest": document.digest, "size": len(document.raw)}
