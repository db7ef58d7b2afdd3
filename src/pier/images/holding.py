"""Keep what a name stands for while it is pushed, saved or copied, whatever is removed meanwhile."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pier.images.images import Images


class Hold:
    """Keeps documents and layers until it is closed."""

    def __init__(self, images: "Images", documents: tuple[str, ...], layers: list[str]) -> None:
        self._images = images
        self._documents = documents
        self._layers = layers

    def close(self) -> None:
        """Let go; what nobody else keeps is removed. Calling it twice is harmless."""
        documents, self._documents = self._documents, ()
        layers, self._layers = self._layers, []
        self._images.held_documents.release(documents)
        self._images.layers.release(layers)
        self._images.write([])
        self._images.collect(layers)
