"""Pushing images: one tag or all of a repository, with its progress and its event."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pier.engine.parts import Parts
from pier.engine.progress import Report, reports
from pier.engine.pulling import Pulling
from pier.spec import platforms, references
from pier.spec.credentials import Credentials
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.references import Reference

if TYPE_CHECKING:
    from pier.images.push import Pusher


@dataclass(frozen=True)
class Push:
    """What `POST /images/{name}/push` asks for. Without a tag all tags of the repository are pushed."""

    name: str
    tag: str = ""
    platform: str = ""
    credentials: Credentials | None = None


class Pushing:
    """Pushes images to the registries that `pulling` knows."""

    def __init__(self, parts: Parts, pulling: Pulling) -> None:
        self._parts = parts
        self._pulling = pulling
        self._slots: dict[int, asyncio.Semaphore] = {}

    def push(self, wish: Push) -> AsyncIterator[object]:
        """Docker's progress. The name and the platform are checked before anything is sent."""
        reference = references.parse(wish.name)
        if wish.tag:
            reference = reference.with_tag(wish.tag)
        if reference.digest:
            raise InvalidParameter("cannot push a digest reference")
        pusher = self._pusher(wish)

        async def work(report: "Report[object]") -> None:
            from pier.images.progress import Progress
            from pier.images.push import messages

            report(Progress(f"The push refers to repository [{reference.name}]"))
            for one in self._names(reference):
                for line in messages(await pusher.push(one, report)):
                    report(line)
            attributes = {**self._labels(reference), "name": reference.familiar_name}
            self._parts.events.publish("image", "push", reference.familiar, attributes)

        return reports(work)

    def _pusher(self, wish: Push) -> "Pusher":
        from pier.images.push import Pusher

        uploads = self._pulling.about.uploads
        slots = self._slots.setdefault(uploads, asyncio.Semaphore(uploads))
        platform = platforms.parse(wish.platform) if wish.platform else None
        return Pusher(self._parts.images, self._pulling.registries(), slots, wish.credentials, platform)

    def _names(self, reference: Reference) -> list[Reference]:
        """The tags to push; NotFound in Docker's words where the repository has none here."""
        tags = [references.parse(tag) for image in self._parts.images.list() for tag in image.tags]
        found = sorted((tag for tag in tags if tag.name == reference.name), key=str)
        if not found:
            raise NotFound(f"An image does not exist locally with the tag: {reference.familiar_name}")
        return [reference] if reference.tag else found

    def _labels(self, reference: Reference) -> dict[str, str]:
        try:
            return dict(self._parts.images.find(reference.familiar).config.run.labels or {})
        except NotFound:
            return {}
