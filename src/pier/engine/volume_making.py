"""The volumes of a new container: found or made, their place filled in, and new ones filled with the image's content."""

from msgspec.structs import replace

from pier.engine.parts import Parts
from pier.engine.record import Mounted, Record
from pier.images.images import Image
from pier.spec.errors import NotFound, PierError


class VolumeMaking:
    """Makes volumes for creates, and takes back those of creates that failed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def make(self, record: Record, image: Image) -> tuple[Mounted, ...]:
        """The mounts of a record with the directories of their volumes. Unknown volumes are made, as Docker makes them."""
        mounts, made = await self._parts.offload.run(self._make, record, image)
        for name, driver in made:
            self._parts.news.volume("create", name, driver)
        return mounts

    def _make(self, record: Record, image: Image) -> tuple[tuple[Mounted, ...], list[tuple[str, str]]]:
        made: list[tuple[str, str]] = []
        mounts: list[Mounted] = []
        for mounted in record.mounts:
            if mounted.point.Type == "volume" and not mounted.point.Source:
                mounted = self._place(mounted, image, made)
            mounts.append(mounted)
        return tuple(mounts), made

    def _place(self, mounted: Mounted, image: Image, made: list[tuple[str, str]]) -> Mounted:
        raise NotImplementedError

    async def remove_anonymous(self, record: Record) -> None:
        """Take back the anonymous volumes of a create that failed."""
        for mounted in record.mounts:
            if mounted.anonymous and mounted.point.Type == "volume":
                try:
                    await self._parts.offload.run(self._parts.volumes.remove, mounted.point.Name, True)
                except (NotFound, PierError):
                    continue


__all__ = ["VolumeMaking", "replace"]
