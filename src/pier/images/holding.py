"""Keep what names stand for while it is pushed, saved, compared or squashed, whatever is removed meanwhile."""

import contextlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from pier.images.threads import completed

if TYPE_CHECKING:
    from pier.images.images import Images


class Hold:
    """Keeps documents and layers from `take` until `close`."""

    def __init__(self, images: "Images") -> None:
        self._images = images
        self._documents: tuple[str, ...] = ()
        self._layers: list[str] = []

    def take(self, *names: str) -> None:
        """Keep all that names or ids stand for: documents, variants, layers. NotFound in Docker's words.

        It may wait for the disk, and so may `close`.
        """
        images = self._images
        with images.lock:
            variants = [one for name in names for one in images.variants(name)]
            roots = {images.target(name) for name in names} | {one.manifest for one in variants}
            self._documents = images.reached(roots)
            images.held_documents.take(self._documents)
            self._layers = [id_ for one in variants for id_ in one.diff_ids if images.layers.hold(id_) is not None]

    def close(self) -> None:
        """Let go; what nobody else keeps is removed. Calling it twice is harmless."""
        documents, self._documents = self._documents, ()
        layers, self._layers = self._layers, []
        self._images.held_documents.release(documents)
        self._images.layers.release(layers)
        self._images.write([])
        self._images.collect(layers)


@contextlib.asynccontextmanager
async def holding(images: "Images", *names: str) -> AsyncIterator[None]:
    """Hold for the length of the block. A caller who is cancelled while the hold is taken lets go of it too."""
    hold = Hold(images)
    try:
        await completed(hold.take, *names)
        yield
    finally:
        await completed(hold.close)
