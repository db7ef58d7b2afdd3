"""The images of the daemon as a service: lists, names, removals, imports and pulls, with their events."""

import contextlib
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pier.engine import image_filters, image_views, search_filters
from pier.engine.about import About
from pier.engine.image_archives import ImageArchives
from pier.engine.image_works import ImageWorks
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.pulling import Pull, Pulling
from pier.engine.pushing import Push, Pushing
from pier.images.image import Deleted, Image, Untagged
from pier.spec import references
from pier.spec.credentials import Credentials
from pier.spec.errors import Conflict, NotFound
from pier.spec.filters import Filters
from pier.spec.platforms import Platform

Json = dict[str, Any]


@dataclass(frozen=True)
class Import:
    """What `POST /images/create?fromSrc=…` asks for."""

    repository: str = ""
    tag: str = ""
    message: str = ""
    changes: Sequence[str] = ()
    platform: str = ""
    created: int | None = None  # seconds since 1970; now when it is not given


class Images:
    """Images over the API. Disk work runs in threads."""

    def __init__(self, parts: Parts, projection: Projection, pulling: Pulling) -> None:
        self._parts = parts
        self._pulling = pulling
        self._pushing = Pushing(parts, pulling)
        self.archives = ImageArchives(parts)
        self.works = ImageWorks(parts)
        self._projection = projection
        self._images = parts.images

    # Reading

    async def summaries(self, filters: Filters, *, shared_size: bool = False, all_images: bool = False) -> list[Json]:
        """The rows of `docker images`, newest first; images that others were made from only when `all_images`."""
        images = self._images.list()
        shown = image_filters.choose(images, filters, self._images.find, time.time_ns())
        if not all_images:
            shown = [image for image in shown if not (self._is_intermediate(image) or _is_other_variant(image))]
        shared = await self._parts.offload.run(self._shared, images) if shared_size else {}
        return [self._row(image, filters, shared.get(image.id, -1)) for image in shown]

    def _is_intermediate(self, image: Image) -> bool:
        return image_filters.is_dangling(image) and bool(self._images.children(image.id))

    def _row(self, image: Image, filters: Filters, shared: int) -> Json:
        row = image_views.summary(image, shared=shared) | self.works.notes(image.id)
        row["RepoTags"], row["RepoDigests"] = map(list, image_filters.names(image, filters))
        return row

    def _shared(self, images: Iterable[Image]) -> dict[str, int]:
        """In a thread: how many bytes of each image are in another's as well."""
        images = list(images)
        users: dict[str, int] = {}
        for image in images:
            for layer in set(image.diff_ids):
                users[layer] = users.get(layer, 0) + 1
        return {
            image.id: sum(
                size
                for layer, size in zip(image.diff_ids, self._images.layer_sizes(image), strict=True)
                if users[layer] > 1
            )
            for image in images
        }

    def inspect(self, name: str, platform: Platform | None = None) -> Json:
        """`docker image inspect`, of a name's variants the one for `platform`."""
        image = self._images.find(name, platform)
        return image_views.inspect(image, self._images.layer_directories(image)) | self.works.notes(image.id)

    def history(self, name: str, platform: Platform | None = None) -> list[Json]:
        """`docker history`, of a name's variants the one for `platform`."""
        image = self._images.find(name, platform)
        return image_views.history(image, self._images.layer_sizes(image))

    async def usage(self) -> tuple[int, list[Json]]:
        """For `docker system df`: the bytes of all layers, and the images with what they share."""
        images = self._images.list()
        shared = await self._parts.offload.run(self._shared, images)
        sizes = {
            layer: size
            for image in images
            for layer, size in zip(image.diff_ids, self._images.layer_sizes(image), strict=True)
        }
        users = self._users()
        rows = [
            image_views.summary(image, containers=len(users.get(image.id, ())), shared=shared[image.id])
            for image in images
        ]
        return sum(sizes.values()), rows

    # Changing

    async def tag(self, name: str, repository: str, tag: str) -> None:
        """Give an image one more name."""
        image = self._images.find(name)
        target = f"{repository}:{tag}" if tag else repository
        await self._parts.offload.run(self._images.tag, name, target)
        self._publish("tag", image.id, name=_with_tag(target))

    async def remove(
        self, name: str, *, force: bool, prune: bool, platforms: Sequence[Platform] = ()
    ) -> list[dict[str, str]]:
        """`docker rmi` of one name, or of its variants for `platforms` alone."""
        image = self._images.find(name)
        report = await self._remove(name, force=force, prune=prune, platforms=platforms)
        self._tell(report, image)
        return image_views.removed(report)

    async def _remove(
        self, name: str, *, force: bool, prune: bool, platforms: Sequence[Platform] = ()
    ) -> list[Untagged | Deleted]:
        """Users are looked up under the images' lock, which a container's making waits for."""

        def in_use(image_id: str) -> list[str]:
            return self._users().get(image_id, [])

        def running(image_id: str) -> list[str]:
            return self._users(running=True).get(image_id, [])

        def work() -> list[Untagged | Deleted]:
            if platforms:
                return self._images.remove_variants(name, platforms, force=force, in_use=in_use, running=running)
            return self._images.remove(name, force=force, prune=prune, in_use=in_use, running=running)

        return await self._parts.offload.run(work)

    async def prune(self, filters: Filters) -> Json:
        """`docker image prune`: what nothing names (or, with `dangling=false`, no container uses)."""
        filters.validate(image_filters.PRUNE)
        now, users = time.time_ns(), self._users()
        deleted: list[dict[str, str]] = []
        kept: list[str] = []
        reclaimed = 0
        for image in self._images.list():
            if image.id in users or not image_filters.prunable(image, filters, now):
                continue
            if self._images.locks.has(image.id):
                kept.append(image.id)
                continue
            report = await self._prune(image)
            reclaimed += sum(one.size for one in report if isinstance(one, Deleted))
            deleted += image_views.removed(report)
        reclaimed += await self._parts.offload.run(self._images.reclaim)
        self._parts.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
        report_of_locks = {"Pier": {"Locked": kept}} if kept else {}
        return {"ImagesDeleted": deleted or None, "SpaceReclaimed": reclaimed, **report_of_locks}

    async def _prune(self, image: Image) -> list[Untagged | Deleted]:
        report: list[Untagged | Deleted] = []
        for name in (*image.tags, *image.digests) or (image.id,):
            # Who uses it since, or uses a variant of this name, keeps it; the name may have gone with the last one.
            with contextlib.suppress(Conflict, NotFound):
                report += await self._remove(name, force=False, prune=True)
        self._tell(report, image)
        return report

    async def import_(self, source: AsyncIterator[bytes], request: Import) -> str:
        """`docker import`: the id of the new image."""
        from pier.images.importing import import_

        image_id = await import_(
            source,
            images=self._images,
            repository=request.repository,
            tag=request.tag,
            message=request.message,
            changes=request.changes,
            platform=request.platform,
            created=request.created,
        )
        self._publish("import", image_id, name=image_id)
        return image_id

    def pull(self, wish: Pull) -> AsyncIterator[object]:
        """`docker pull`: its progress; the pull ends with the iterator."""
        return self._pulling.pull(wish)

    def push(self, wish: Push) -> AsyncIterator[object]:
        """`docker push`: its progress; the push ends with the iterator."""
        return self._pushing.push(wish)

    async def distribution(self, name: str, credentials: Credentials | None) -> Json:
        """What the registry has under a name, without pulling it."""
        return await self._pulling.describe(name, credentials)

    async def search(self, term: str, limit: int, filters: Filters, credentials: Credentials | None) -> list[Json]:
        """`docker search`: what Docker Hub, or the registry that the term begins with, finds."""
        wanted = search_filters.passes(filters)
        return [row for row in await self._pulling.search(term, limit, credentials) if wanted(row)]

    async def check_login(self, credentials: Credentials) -> str:
        """Return when the registry that the credentials name takes them: the token that stands for them from now on,
        or nothing. Raises Unauthorized, Unavailable.
        """
        return await self._pulling.check_login(credentials)

    def configure(self, about: About) -> None:
        """Follow a reload of the daemon's settings."""
        self._pulling.configure(about)

    # News and users

    def _publish(self, action: str, image_id: str, *, name: str, labels: Mapping[str, str] | None = None) -> None:
        self._parts.events.publish("image", action, image_id, {**(labels or self._labels(image_id)), "name": name})

    def _labels(self, image_id: str) -> Mapping[str, str]:
        try:
            return self._images.by_id(image_id).config.run.labels or {}
        except NotFound:
            return {}

    def _tell(self, report: Iterable[Untagged | Deleted], image: Image) -> None:
        labels = image.config.run.labels or {}
        for one in report:
            if isinstance(one, Untagged):
                self._publish("untag", image.id, name=image.id, labels=labels)
            elif one.image is not None:
                self._publish("delete", one.id, name=one.id, labels=one.image.config.run.labels or {})

    def _users(self, *, running: bool = False) -> dict[str, list[str]]:
        """The containers of each image."""
        users: dict[str, list[str]] = {}
        for container in self._projection:
            if container.state.running or not running:
                users.setdefault(container.record.image_id, []).append(container.id)
        return users


def _is_other_variant(image: Image) -> bool:
    """True when names lead to the image only by way of an index, and resolve to another platform."""
    return bool(image.variant_of) and not image.tags and not image.digests


def _with_tag(target: str) -> str:
    return references.parse(target).with_default_tag().familiar
