"""Images as archives: `docker save` and `docker load`, with their events."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress

from pier.engine.parts import Parts
from pier.engine.progress import Report, reports
from pier.spec import references
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.platforms import Platform


class ImageArchives:
    """Writes and reads archives of images."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._images = parts.images

    async def save(
        self, names: Sequence[str], without: frozenset[str] = frozenset(), platform: Platform | None = None
    ) -> AsyncIterator[bytes]:
        """The archive of the named images, of their variants for `platform`; a repository without a tag means all its
        tags, as in Docker.

        The layers `without` (diff ids) are left out of it.
        """
        from pier.images.saving import save

        if not names:
            raise InvalidParameter("no image is named")
        wanted = [one for name in names for one in self._tags_of(name)]
        async for piece in save(wanted, images=self._images, without=without, platform=platform):
            yield piece
        for name in wanted:
            with suppress(NotFound):  # it went meanwhile: the archive is whole all the same
                self._publish("save", self._images.find(name).id, name)

    def missing(self, diff_ids: Sequence[str]) -> list[str]:
        """Those of the layers that are not here."""
        return [diff_id for diff_id in dict.fromkeys(diff_ids) if self._images.layers.get(diff_id) is None]

    def _tags_of(self, name: str) -> Iterable[str]:
        found = self._images.find(name) if _is_identifier(name) else None
        if found is not None:
            return [name]
        reference = references.parse(name)
        if reference.tag or reference.digest:
            return [name]
        tags = [tag for image in self._images.list() for tag in image.tags]
        return [tag for tag in tags if references.parse(tag).name == reference.name] or [name]

    def load(self, source: AsyncIterator[bytes], platform: Platform | None = None) -> AsyncIterator[object]:
        """Docker's lines about what was loaded: everything, or what is for `platform`."""

        async def work(report: Report[object]) -> None:
            from pier.images.loading import load

            def tell(line: str) -> None:
                report({"stream": line})

            loaded = await load(source, images=self._images, report=tell, platform=platform)
            for image in loaded:
                with suppress(NotFound):
                    self._publish("load", image.id, image.tags[0] if image.tags else image.id)

        return reports(work)

    def _publish(self, action: str, image_id: str, name: str) -> None:
        labels = self._images.by_id(image_id).config.run.labels or {}
        self._parts.events.publish("image", action, image_id, {**labels, "name": name})


def _is_identifier(name: str) -> bool:
    """True for what can only be an image's id: a digest, or a whole one without its algorithm."""
    return name.startswith("sha256:") or (len(name) == 64 and all(digit in "0123456789abcdef" for digit in name))
