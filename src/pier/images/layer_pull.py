"""One layer on its way here: downloaded in several attempts, each carrying on where the last broke off, and unpacked
while it comes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from pier.images.feeding import Feed
from pier.images.images import Images
from pier.images.layers import Layer, Workspace
from pier.images.progress import LayerProgress
from pier.images.retries import pause_after, told
from pier.images.threads import completed
from pier.images.workers import Job, Outcome, Worker
from pier.registry.client import Repository
from pier.registry.failures import Refused
from pier.registry.registries import Registries
from pier.spec import manifests
from pier.spec.errors import InvalidParameter, NotFound, Unavailable
from pier.spec.manifests import Descriptor
from pier.store.blobs import BlobWriter


class LayerPull:
    """Downloads and unpacks one layer; `run` ends with the layer here, held, and noted in `held`."""

    def __init__(
        self,
        images: Images,
        registries: Registries,
        repository: Repository,
        descriptor: Descriptor,
        diff_id: str,
        *,
        lines: LayerProgress,
        held: list[str],
    ) -> None:
        self._images = images
        self._registries = registries
        self._repository = repository
        self._descriptor = descriptor
        self._diff_id = diff_id
        self._lines = lines
        self._turn = registries.turn(descriptor.digest)
        self._held = held

    def is_here(self) -> bool:
        """Hold the layer when it is here already."""
        found = self._images.layers.hold(self._diff_id) is not None
        if found:
            self._held.append(self._diff_id)
        return found

    async def run(self) -> None:
        """Bring the layer here. One download of a blob runs at a time in this daemon; who waited finds it done."""
        lock = self._turn.lock
        if lock.locked() or self._registries.downloads.locked():
            self._lines.tell("Waiting")
        with self._turn.hearing(self._lines.hear):
            async with lock, self._registries.downloads:
                await self._work()
        self._lines.tell("Pull complete")

    async def _work(self) -> None:
        if not self.is_here():
            with self._images.blobs.held.on(self._descriptor.digest):
                await self._fetch()

    async def _fetch(self) -> None:
        digest = self._descriptor.digest
        if self._images.blobs.size(digest) is not None:
            with self._images.blobs.open(digest) as fd:
                async with _Tree(self._images, fd) as tree:
                    await self._finish(tree)
            return
        writer = await completed(self._images.blobs.writer, digest, self._descriptor.size)
        with writer:
            async with _Tree(self._images, writer.fd) as tree:
                await self._download(writer, tree)
                self._turn.tell("Download complete")
                await self._finish(tree)

    async def _download(self, writer: BlobWriter, tree: "_Tree") -> None:
        for attempt in range(1, self._registries.attempts + 1):
            try:
                tree.note(writer.offset)
                await self._receive(writer, tree)
                self._turn.tell("Verifying Checksum")
                await completed(writer.commit)
                return
            except NotFound as error:
                raise self._not_there(error) from error
            except (Unavailable, InvalidParameter) as error:
                if isinstance(error, Refused) or attempt == self._registries.attempts:
                    raise
                pause = pause_after(attempt, error)
            if writer.offset == 0:
                await tree.renew()
            self._turn.tell(told(pause))
            await asyncio.sleep(pause)

    def _not_there(self, error: NotFound) -> NotFound:
        """A foreign layer may lie only where the manifest's addresses lead; those are never asked."""
        if self._descriptor.media_type not in manifests.FOREIGN_LAYERS:
            return error
        return NotFound(
            f"foreign layer {self._descriptor.digest} is not in the image's own registry, "
            "and addresses in a manifest are not followed"
        )

    async def _receive(self, writer: BlobWriter, tree: "_Tree") -> None:
        size = self._descriptor.size
        if writer.offset == size:
            return
        async with self._repository.blob(self._descriptor.digest, writer.offset) as (continues, pieces):
            if writer.offset and not continues:
                writer.restart()
                await tree.renew()
            await self._write(writer, tree, pieces)

    async def _write(self, writer: BlobWriter, tree: "_Tree", pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            await completed(writer.write, piece)
            tree.note(writer.offset)
            self._turn.tell("Downloading", writer.offset, self._descriptor.size)

    async def _finish(self, tree: "_Tree") -> None:
        size = self._descriptor.size
        self._turn.tell("Extracting", 0, size)
        outcome = await tree.outcome()
        if outcome.diff_id != self._diff_id:
            self._images.blobs.delete(self._descriptor.digest)
            raise InvalidParameter(f"layers from manifest don't match image configuration: {outcome.diff_id}")
        self._turn.tell("Extracting", size, size)
        layer = Layer(self._diff_id, self._descriptor.digest, size, outcome.codec, outcome.size)
        await completed(self._adopt, tree.workspace, layer)

    def _adopt(self, workspace: Workspace, layer: Layer) -> None:
        self._images.layers.adopt(workspace, layer)
        self._held.append(layer.diff_id)


class _Tree:
    """A tree that a worker fills from the blob's file while that grows. `renew` begins anew, when the file did."""

    def __init__(self, images: Images, blob: int) -> None:
        self._images = images
        self._blob = blob

    async def __aenter__(self) -> Self:
        self._begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    def _begin(self) -> None:
        self._stack = contextlib.ExitStack()
        try:
            self.workspace = self._stack.enter_context(self._images.layers.workspace())
            self._feed = Feed()
            self._stack.callback(self._feed.end)
            job = Job(layer=True, growing=True)
            self._worker = Worker.start(
                job, stream=self._blob, directory=self.workspace.directory, notes=self._feed.reader
            )
        except BaseException:
            self._stack.close()
            raise
        self._feed.started()
        self._waiting = asyncio.create_task(self._worker.outcome())

    def note(self, written: int) -> None:
        """The file is written up to here."""
        self._feed.note(written)

    async def outcome(self) -> Outcome:
        """The file is whole: what came of it."""
        self._feed.end()
        return await self._waiting

    async def renew(self) -> None:
        """Throw the tree away and begin anew."""
        await self._end()
        self._begin()

    async def _end(self) -> None:
        self._worker.stop()
        await asyncio.wait([self._waiting])
        if not self._waiting.cancelled():
            self._waiting.exception()  # whoever wanted it has had it from `outcome`
        await completed(self._stack.close)
