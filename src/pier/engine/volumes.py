"""The volumes of the daemon as a service: lists, making and removing, with their events."""

from collections.abc import Iterable
from functools import partial

from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.spec.errors import PierError, Unavailable
from pier.spec.filters import Filters
from pier.spec.volumes import VolumeCreateRequest
from pier.volumes.volumes import ANONYMOUS_LABEL, Volume

Json = dict[str, object]
LIST = frozenset({"dangling", "driver", "label", "name"})
PRUNE = frozenset({"all", "label", "label!"})
_NO_CLUSTER = "volumes of a cluster need a swarm, and this node is not a swarm manager"


class Volumes:
    """Volumes over the API. Disk work runs in threads."""

    def __init__(self, parts: Parts, projection: Projection) -> None:
        self._parts = parts
        self._projection = projection
        self._volumes = parts.volumes

    def summaries(self, filters: Filters) -> Json:
        """`docker volume ls`."""
        filters.validate(LIST)
        dangling = filters.boolean("dangling", False) if "dangling" in filters else None
        used = self.users()
        shown = [
            self._view(volume)
            for volume in self._volumes.list()
            if filters.exact("driver", volume.driver)
            and filters.pattern("name", volume.name)
            and filters.labels(volume.labels or {})
            and (dangling is None or dangling is (volume.name not in used))
        ]
        return {"Volumes": shown, "Warnings": None}

    def inspect(self, name: str) -> Json:
        """`docker volume inspect`."""
        return self._view(self._volumes.find(name))

    async def create(self, body: VolumeCreateRequest) -> Json:
        """`docker volume create`: the volume of that name, made if it is new."""
        if body.ClusterVolumeSpec is not None:
            raise Unavailable(_NO_CLUSTER)
        volume, new = await self._parts.offload.run(
            self._volumes.create, body.Name, body.Driver, body.DriverOpts, body.Labels
        )
        if new:
            self._parts.news.volume("create", volume.name, volume.driver)
        return self._view(volume)

    async def remove(self, name: str, *, force: bool) -> None:
        """`docker volume rm`."""
        known = any(volume.name == name for volume in self._volumes.list())
        await self._parts.offload.run(self._volumes.remove, name, force, partial(self._users_of, name))
        if known:
            self._parts.news.volume("destroy", name, "local")

    async def prune(self, filters: Filters, *, anonymous_only: bool) -> Json:
        """`docker volume prune`: what no container has; since API 1.42 only anonymous ones, unless `all` says so."""
        filters.validate(PRUNE)
        every = filters.boolean("all", not anonymous_only)
        used, deleted, reclaimed = self.users(), [], 0
        for volume in self._volumes.list():
            if volume.name in used or not _prunable(volume, filters, every=every):
                continue
            try:
                size = await self._parts.offload.run(self._volumes.usage, volume.name)
                await self._parts.offload.run(
                    self._volumes.remove, volume.name, False, partial(self._users_of, volume.name)
                )
            except (PierError, OSError):
                continue  # somebody uses it since, or took it away: a prune leaves such volumes alone
            self._parts.news.volume("destroy", volume.name, volume.driver)
            deleted.append(volume.name)
            reclaimed += size
        self._parts.events.publish("volume", "prune", "", {"reclaimed": str(reclaimed)})
        return {"VolumesDeleted": deleted, "SpaceReclaimed": reclaimed}

    async def usage(self) -> list[Json]:
        """For `docker system df`: every volume with its size and the number of containers that have it."""
        volumes, users = self._volumes.list(), self.users()
        sizes = await self._parts.offload.run(self._sizes, volumes)
        return [
            {**self._view(volume), "UsageData": {"RefCount": len(users.get(volume.name, ())), "Size": size}}
            for volume, size in zip(volumes, sizes, strict=True)
        ]

    def _sizes(self, volumes: Iterable[Volume]) -> list[int]:
        """In a thread: bytes of each volume, -1 where they cannot be counted."""
        sizes = []
        for volume in volumes:
            try:
                sizes.append(self._volumes.usage(volume.name))
            except (PierError, OSError):
                sizes.append(-1)
        return sizes

    def users(self) -> dict[str, list[str]]:
        """The containers that have each volume, running or not."""
        users: dict[str, list[str]] = {}
        for container in self._projection:
            for mounted in container.record.mounts:
                if mounted.point.Type == "volume" and mounted.point.Name:
                    users.setdefault(mounted.point.Name, []).append(container.id)
        return users

    def _users_of(self, name: str) -> list[str]:
        """In a thread, at the moment of a removal: who has the volume by now."""
        return self.users().get(name, [])

    def _view(self, volume: Volume) -> Json:
        return {
            "CreatedAt": volume.created,
            "Driver": volume.driver,
            "Labels": volume.labels,
            "Mountpoint": str(self._parts.layout.volumes / volume.name / "_data"),
            "Name": volume.name,
            "Options": volume.options,
            "Scope": "local",
        }

    def update(self, name: str) -> None:
        """Volumes of a cluster alone can be updated."""
        self._volumes.find(name)
        raise Unavailable(_NO_CLUSTER)


def _prunable(volume: Volume, filters: Filters, *, every: bool) -> bool:
    labels = volume.labels or {}
    return (
        (every or ANONYMOUS_LABEL in labels or volume.anonymous)
        and filters.labels(labels)
        and filters.without_labels(labels)
    )
