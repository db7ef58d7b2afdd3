"""Pulls: from a client's wish to an image that is here, with its progress and its event.

The registry's client is loaded with the first pull: an idle daemon does without it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pier.engine.about import About
from pier.engine.parts import Parts
from pier.engine.progress import Report, reports
from pier.spec import references
from pier.spec.credentials import Credentials
from pier.spec.references import Reference

if TYPE_CHECKING:
    from pier.images.distribution import Registries
    from pier.images.progress import Progress


@dataclass(frozen=True)
class Pull:
    """What `POST /images/create?fromImage=…` asks for."""

    image: str
    tag: str = ""
    platform: str = ""
    credentials: Credentials | None = None


class Pulling:
    """Pulls images. `configure` follows a reload of the daemon's settings."""

    def __init__(self, parts: Parts, about: About) -> None:
        self._parts = parts
        self.about = about
        self._registries: Registries | None = None

    def configure(self, about: About) -> None:
        """Use other mirrors, insecure registries or numbers from the next pull on."""
        self.about, self._registries = about, None

    def registries(self) -> "Registries":
        """The settings about registries, made with the first pull."""
        from pier.images.distribution import Registries

        if self._registries is None:
            about = self.about
            self._registries = Registries(
                about.mirrors, about.insecure_registries, downloads=about.downloads, attempts=about.download_attempts
            )
        return self._registries

    async def describe(self, name: str, credentials: Credentials | None) -> dict[str, object]:
        """What the registry has under a name."""
        from pier.images.distribution import describe

        return await describe(name, self.registries(), credentials)

    async def search(self, term: str, limit: int, credentials: Credentials | None) -> list[dict[str, object]]:
        """What an index of images finds."""
        from pier.images.distribution import search

        return await search(term, limit, self.registries(), credentials)

    async def check_login(self, credentials: Credentials) -> str:
        """Return when the registry takes the credentials: the token that stands for them from now on, if any."""
        from pier.images.distribution import check_login

        return await check_login(self.registries(), credentials)

    def pull(self, wish: Pull) -> AsyncIterator[object]:
        """Docker's progress. The name is checked before anything is sent; without a tag all tags are pulled."""
        reference = _reference(wish)

        async def work(report: "Report[Progress]") -> None:
            for one in await self._names(reference, wish):
                await self._pull(one, wish, report)

        return reports(work)

    async def _names(self, reference: Reference, wish: Pull) -> list[Reference]:
        if reference.tag or reference.digest:
            return [reference]
        from pier.images.distribution import tags

        found = await tags(reference, self.registries(), wish.credentials)
        return [reference.with_tag(tag) for tag in found]

    async def _pull(self, reference: Reference, wish: Pull, report: "Report[Progress]") -> None:
        from pier.images.pull import pull

        image = await pull(
            reference,
            images=self._parts.images,
            registries=self.registries(),
            progress=report,
            credentials=wish.credentials,
            platform=wish.platform,
        )
        attributes = {**(image.config.run.labels or {}), "name": reference.familiar_name}
        self._parts.events.publish("image", "pull", reference.familiar, attributes)


def _reference(wish: Pull) -> Reference:
    reference = references.parse(wish.image)
    return references.parse_with_tag(reference.name, wish.tag) if wish.tag else reference
