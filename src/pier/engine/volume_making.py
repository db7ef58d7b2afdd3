"""The volumes of a new container: found or made, their place filled in, and new ones filled with the image's
content.
"""

from msgspec.structs import replace

from pier.engine.parts import Parts
from pier.engine.record import Mounted, Record
from pier.images.image import Image
from pier.spec.errors import PierError
from pier.volumes.volumes import ANONYMOUS_LABEL

_FILLING = "filling"


class VolumeMaking:
    """Makes volumes for creates, and takes back those of creates that failed."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def make(self, record: Record, image: Image) -> tuple[Mounted, ...]:
        """The mounts of a record with the directories of their volumes. Unknown volumes are made, as Docker makes
        them.
        """
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
        """Find or make one volume, and fill a new one with what the image has at its place."""
        point, options = mounted.point, mounted.request.VolumeOptions if mounted.request else None
        driver = options.DriverConfig if options else None
        labels = dict(options.Labels or {}) if options else {}
        volumes = self._parts.volumes
        volume, new = volumes.create(
            point.Name,
            point.Driver,
            driver.Options if driver else None,
            {**labels, ANONYMOUS_LABEL: ""} if mounted.anonymous else labels or None,
        )
        if new:
            made.append((volume.name, volume.driver))
        if mounted.copies:
            self._fill(volume.name, image, point.Destination)
        placed = replace(point, Name=volume.name, Driver=volume.driver, Source=str(volumes.path(volume.name)))
        return replace(mounted, point=placed)

    def _fill(self, name: str, image: Image, destination: str) -> None:
        volumes = self._parts.volumes
        volumes.acquire(name, _FILLING)
        try:
            volumes.fill(name, self._parts.images.layer_directories(image), destination)
        finally:
            volumes.release(name, _FILLING)

    async def remove_anonymous(self, record: Record) -> None:
        """Take back the anonymous volumes of a create that failed."""
        for mounted in record.mounts:
            if mounted.anonymous and mounted.point.Type == "volume":
                try:
                    await self._parts.offload.run(self._parts.volumes.remove, mounted.point.Name, True)
                except PierError:
                    continue
