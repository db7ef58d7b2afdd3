"""The upload of one blob: in one piece, else in smaller ones, each carrying on where the last one ended.

*Theory of operation.* One request for the whole blob is the fastest, so it comes first. A registry, or a proxy before
it, that answers 413 gets pieces of a quarter of that, and less, but never less than the `OCI-Chunk-Min-Length` that it
named (OCI distribution-spec 1.1, "Pushing a blob in chunks"). What one blob learned the next ones know.
"""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

from pier.images.images import Images
from pier.images.progress import LayerProgress
from pier.images.push_plan import Blob
from pier.images.threads import completed
from pier.registry.uploads import TooLarge, Uploads
from pier.spec.errors import PierError, Unavailable

_READ = 1 << 20
_LARGEST = 64 << 20  # bytes of the first piece that is not the whole
_SMALLEST = 64 << 10


@dataclass(slots=True)
class Pieces:
    """What all blobs of one push know: bytes of the largest request that the registry takes, 0 where it takes all."""

    most: int = 0

    def end(self, offset: int, size: int) -> int:
        """Where the piece from `offset` on ends."""
        return min(size, offset + self.most) if self.most else size

    def shrink(self, refused: int, least: int) -> bool:
        """Ask for less than the `refused` bytes, at least `least`. False when nothing smaller is left to try."""
        wanted = max(least, min(_LARGEST, refused // 4))
        if wanted >= refused or refused <= _SMALLEST:
            return False
        self.most = min(self.most or wanted, wanted)
        return True


class BlobUpload:
    """One blob on its way. `attempts`: how often it may break off."""

    def __init__(
        self, images: Images, uploads: Uploads, blob: Blob, lines: LayerProgress, pieces: Pieces, attempts: int
    ) -> None:
        self._images = images
        self._uploads = uploads
        self._blob = blob
        self._lines = lines
        self._pieces = pieces
        self._attempts = attempts

    async def send(self, location: str) -> str:
        """Send it to an upload that was begun; where the upload is to be finished. Raises Unavailable, TooLarge…"""
        offset, broken = 0, 0
        while True:
            start, end = offset, self._pieces.end(offset, self._blob.size)
            try:
                location = await self._uploads.send(location, self._read, start, end, whole=self._blob.size)
                offset = end
            except TooLarge:
                if not self._pieces.shrink(end - start, self._uploads.least_piece):
                    raise
                location, offset = await self._after_refusal(location)
            except Unavailable:
                broken += 1
                location, offset = await self._resume(location)
                if broken == self._attempts or not start < offset <= self._blob.size:
                    raise
            if offset == self._blob.size:
                return location

    async def _after_refusal(self, location: str) -> tuple[str, int]:
        """Where to go on after a piece was too large; a new upload where the old one is not known any more."""
        try:
            return await self._uploads.state(location)
        except PierError:
            return await self._uploads.begin(self._blob.digest), 0

    async def _resume(self, location: str) -> tuple[str, int]:
        """How far an upload came; nothing where the registry has forgotten it."""
        try:
            return await self._uploads.state(location)
        except PierError:
            return location, 0

    async def _read(self, offset: int, end: int) -> AsyncIterator[bytes]:
        """The bytes of the blob from `offset` to `end`, told as they are taken."""
        with self._images.blobs.open(self._blob.digest) as fd:
            while offset < end and (piece := await completed(os.pread, fd, min(_READ, end - offset), offset)):
                yield piece
                offset += len(piece)
                self._lines.figure("Pushing", offset, self._blob.size)
