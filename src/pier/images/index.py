"""The images and names of a store as one immutable value: a change makes a new one, so that readers need no lock and
never see half of it.
"""

import re
from collections.abc import Iterable, Mapping

import msgspec

from pier.images.image import ImageRecord
from pier.spec import digests, references
from pier.spec.references import Reference
from pier.store.records import Change, Put

KIND = "image"
TAG = "tag"
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
_SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})\Z")


class Index:
    """Images by id, ids by full name, full names by id. Nothing in it is changed once it is made."""

    __slots__ = ("images", "names", "tags")

    def __init__(self, images: Mapping[str, ImageRecord], tags: Mapping[str, str]) -> None:
        self.images = images
        self.tags = tags
        names: dict[str, list[Reference]] = {}
        for name, image_id in sorted(tags.items()):
            names.setdefault(image_id, []).append(references.parse(name))
        self.names = names

    @classmethod
    def read(cls, images: Mapping[str, bytes], tags: Mapping[str, bytes]) -> "Index":
        """From documents as the records hold them."""
        return cls(
            {key: msgspec.json.decode(raw, type=ImageRecord) for key, raw in images.items()},
            {name: raw.decode("ascii") for name, raw in tags.items()},
        )

    def after(self, changes: Iterable[Change]) -> "Index":
        """The index with changes of records of both kinds applied."""
        images, tags = dict(self.images), dict(self.tags)
        for change in changes:
            if change.kind == KIND:
                images.pop(change.key, None)
                if isinstance(change, Put):
                    images[change.key] = msgspec.json.decode(change.document, type=ImageRecord)
            else:
                tags.pop(change.key, None)
                if isinstance(change, Put):
                    tags[change.key] = change.document.decode("ascii")
        return Index(images, tags)

    def find(self, name: str) -> ImageRecord | None:
        """By id, `name[:tag]`, `name@digest` or short id, in Docker's order; hidden images by no name at all.

        Raises InvalidParameter when it could be none of these.
        """
        whole = _ID.match(name)
        if whole:
            found = self.images.get(digests.SHA256 + whole[1])
        else:
            image_id = self.tags.get(key(references.parse(name).with_default_tag()))
            found = self.images.get(image_id) if image_id else self._by_short_id(name)
        return None if found is None or found.hidden else found

    def _by_short_id(self, name: str) -> ImageRecord | None:
        match = _SHORT_ID.match(name)
        if match is None:
            return None
        prefix = digests.SHA256 + match[1]
        found = [one for image_id, one in self.images.items() if image_id.startswith(prefix) and not one.hidden]
        return found[0] if len(found) == 1 else None


def key(reference: Reference) -> str:
    """The name under which a reference is kept: a digest wins over a tag."""
    return f"{reference.name}@{reference.digest}" if reference.digest else f"{reference.name}:{reference.tag}"


def familiar(name: str) -> str:
    """A name as Docker's errors repeat it."""
    return name if _ID.match(name) else references.parse(name).with_default_tag().familiar
