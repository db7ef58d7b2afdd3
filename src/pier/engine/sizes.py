"""How much a container's files take: its writable layer alone, and with the image below. Walks run in a thread,
bounded to the upper directory.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from pier.engine.parts import Parts
from pier.engine.record import Record
from pier.engine.tree_walk import tree_size
from pier.spec.errors import NotFound


class Sizes:
    """Measures containers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def of(self, records: Iterable[Record]) -> dict[str, tuple[int, int]]:
        """(writable layer, whole root) in bytes by container id."""
        return await self._parts.offload.run(self._measure, list(records))

    def _measure(self, records: list[Record]) -> dict[str, tuple[int, int]]:
        images: dict[str, int] = {}
        sizes: dict[str, tuple[int, int]] = {}
        for record in records:
            if record.image_id not in images:
                images[record.image_id] = self._image_size(record.image_id)
            writable = _size_of(self._parts.layout.container(record.id) / "upper")
            sizes[record.id] = writable, writable + images[record.image_id]
        return sizes

    def _image_size(self, image_id: str) -> int:
        try:
            return self._parts.images.by_id(image_id).size
        except NotFound:
            return 0


def _size_of(directory: Path) -> int:
    try:
        root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        return tree_size(root)
    finally:
        os.close(root)
