"""What Pier does with images beyond Docker: squash, compare, lock against removal."""

from collections.abc import AsyncIterator
from typing import Any

from pier.engine.parts import Parts
from pier.images import archive
from pier.images.holding import holding
from pier.images.image import Image
from pier.spec import references
from pier.spec.errors import InvalidParameter
from pier.spec.references import Reference

Json = dict[str, Any]


class ImageWorks:
    """Squash, differences and locks over the API."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._images = parts.images

    async def squash(self, name: str, base: str, tag: str) -> Json:
        """Make an image of one layer (above those of `base`, unless that is empty); its id and size in bytes."""
        from pier.images.squash import squash

        names = [_name(tag)] if tag else []
        image = self._images.find(name)
        below = self._images.find(base) if base else None
        made = await squash(image, below, images=self._images, names=names)
        self._publish("squash", made.id, name=image.id)
        for reference in names:
            self._publish("tag", made.id, name=reference.familiar)
        return {"Id": made.id, "Size": made.size, "OldSize": image.size}

    async def diff(self, old: str, new: str) -> AsyncIterator[bytes]:
        """How the tree of `new` differs from that of `old`: JSON documents, one a line, the totals last."""
        from pier.images.squash import layer_names

        async with holding(self._images, old, new):
            before, after = self._images.find(old), self._images.find(new)
            pieces = archive.compare_layers(
                self._images.layout.layers, layer_names(before.diff_ids), layer_names(after.diff_ids)
            )
            async for piece in pieces:
                yield piece

    def layers_of(self, name: str) -> frozenset[str]:
        """The diff ids of an image, for an archive that leaves them out."""
        return frozenset(self._images.find(name).diff_ids)

    async def lock(self, name: str, *, locked: bool) -> Json:
        """Lock an image against removal, or unlock it; its id, and whether that changed anything."""

        def work() -> tuple[Image, bool]:
            with self._images.lock:
                image = self._images.find(name)
                return image, self._images.locks.set(image.id, locked=locked)

        image, changed = await self._parts.offload.run(work)
        if changed:
            self._publish("lock" if locked else "unlock", image.id, name=name)
        return {"Id": image.id, "Locked": locked, "Changed": changed}

    def notes(self, image_id: str) -> Json:
        """What Docker's JSON about an image is extended by: nothing unless it is locked."""
        return {"Pier": {"Locked": True}} if self._images.locks.has(image_id) else {}

    def _publish(self, action: str, image_id: str, *, name: str) -> None:
        labels = self._images.by_id(image_id).config.run.labels or {}
        self._parts.events.publish("image", action, image_id, {**labels, "name": name})


def _name(text: str) -> Reference:
    reference = references.parse(text)
    if reference.digest is not None:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    return reference.with_default_tag()
