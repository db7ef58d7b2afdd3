"""The images, names and documents of a store as one immutable value: a change makes a new one, so that readers need
no lock and never see half of it.

A name stands for a `target`, the digest of a manifest or index that is kept as it came, and resolves to one image.
Images that are here and whose manifest the target leads to are the name's variants.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import TypeVar

import msgspec

from pier.images.image import ImageRecord
from pier.spec import digests, manifests, references
from pier.spec.manifests import Document
from pier.spec.references import Reference
from pier.store.records import Change, Put

KIND = "image"
TAG = "tag"
DOCUMENT = "document"
_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})\Z")
_SHORT_ID = re.compile(r"(?:sha256:)?([0-9a-f]{1,64})\Z")
_T = TypeVar("_T")
parse_name = lru_cache(4096)(references.parse)


class Name(msgspec.Struct, frozen=True):
    """What a name stands for: the image that it resolves to, and its target (empty for what was made here)."""

    image: str
    target: str = ""


class Kept(msgspec.Struct, frozen=True):
    """A manifest or index whose blob is here: what it leads to. `image` is a manifest's image id (the digest of its
    configuration), `children` are the entries of an index.
    """

    media_type: str
    size: int
    image: str = ""
    children: tuple[str, ...] = ()


class Index:
    """Images by id, names by full name, documents by digest. Nothing in it is changed once it is made; the names of an
    image are gathered when somebody first asks, for a change makes indexes that nobody reads.
    """

    def __init__(
        self, images: Mapping[str, ImageRecord], tags: Mapping[str, Name], documents: Mapping[str, Kept]
    ) -> None:
        self.images = images
        self.tags = tags
        self.documents = documents

    @cached_property
    def names(self) -> Mapping[str, list[Reference]]:
        """The names that resolve to an image, by its id, sorted."""
        found: dict[str, list[Reference]] = {}
        for text, name in sorted(self.tags.items()):
            found.setdefault(name.image, []).append(parse_name(text))
        return found

    @cached_property
    def variant_names(self) -> Mapping[str, list[Reference]]:
        """The names of which an image is a variant without being what they resolve to, by its id, sorted."""
        found: dict[str, list[Reference]] = {}
        for text, name in sorted(self.tags.items()):
            for image_id in self.variants(name.target):
                if image_id != name.image:
                    found.setdefault(image_id, []).append(parse_name(text))
        return found

    @classmethod
    def read(
        cls, images: Mapping[str, bytes], tags: Mapping[str, bytes], documents: Mapping[str, bytes] | None = None
    ) -> "Index":
        """From documents as the records hold them."""
        return cls(
            {key: msgspec.json.decode(raw, type=ImageRecord) for key, raw in images.items()},
            {name: _name(raw) for name, raw in tags.items()},
            {digest: msgspec.json.decode(raw, type=Kept) for digest, raw in (documents or {}).items()},
        )

    def after(self, changes: Iterable[Change]) -> "Index":
        """The index with changes of records of its kinds applied."""
        images, tags, documents = dict(self.images), dict(self.tags), dict(self.documents)
        for change in changes:
            if change.kind == KIND:
                _change(images, change, lambda raw: msgspec.json.decode(raw, type=ImageRecord))
            elif change.kind == TAG:
                _change(tags, change, _name)
            elif change.kind == DOCUMENT:
                _change(documents, change, lambda raw: msgspec.json.decode(raw, type=Kept))
        return Index(images, tags, documents)

    def find(self, name: str) -> ImageRecord | None:
        """By id, `name[:tag]`, `name@digest` or short id, in Docker's order; hidden images by no name at all.

        Raises InvalidParameter when it could be none of these.
        """
        whole = _ID.match(name)
        if whole:
            found = self.images.get(digests.SHA256 + whole[1])
        else:
            named = self.named(name)
            found = self.images.get(named.image) if named else self._by_short_id(name)
        return None if found is None or found.hidden else found

    def named(self, name: str) -> Name | None:
        """What a name (`:latest` by default) stands for; None for an id or an unknown name."""
        if _ID.match(name):
            return None
        return self.tags.get(key(references.parse(name).with_default_tag()))

    def variants(self, target: str) -> list[str]:
        """The ids of the images, here and in sight, that a manifest or index leads to, in its order."""
        found = (self.documents[digest].image for digest in self.reach([target]))
        seen = (image_id for image_id in dict.fromkeys(found) if image_id in self.images)
        return [image_id for image_id in seen if not self.images[image_id].hidden]

    def reach(self, roots: Iterable[str]) -> Iterator[str]:
        """The digests of the documents here to which `roots` lead, themselves first, each once."""
        seen: set[str] = set()
        waiting = list(roots)[::-1]
        while waiting:
            digest = waiting.pop()
            kept = self.documents.get(digest)
            if kept is not None and digest not in seen:
                seen.add(digest)
                yield digest
                waiting += reversed(kept.children)

    def unwanted(self, held: Iterable[str]) -> set[str]:
        """The documents to which no name, no image and none of `held` leads."""
        roots = {name.target for name in self.tags.values()} | {one.manifest for one in self.images.values()}
        return set(self.documents) - set(self.reach(roots | set(held)))

    def _by_short_id(self, name: str) -> ImageRecord | None:
        match = _SHORT_ID.match(name)
        if match is None:
            return None
        prefix = digests.SHA256 + match[1]
        found = [one for image_id, one in self.images.items() if image_id.startswith(prefix) and not one.hidden]
        return found[0] if len(found) == 1 else None


def describe(document: Document) -> Kept:
    """What is recorded of a document. InvalidParameter when it is neither a manifest nor an index."""
    parsed = manifests.parse(document.raw, document.media_type)
    if isinstance(parsed, manifests.Index):
        children = tuple(entry.digest for entry in parsed.manifests)
        return Kept(document.media_type, len(document.raw), children=children)
    return Kept(document.media_type, len(document.raw), image=parsed.config.digest)


def key(reference: Reference) -> str:
    """The name under which a reference is kept: a digest wins over a tag."""
    return f"{reference.name}@{reference.digest}" if reference.digest else f"{reference.name}:{reference.tag}"


def familiar(name: str) -> str:
    """A name as Docker's errors repeat it."""
    return name if _ID.match(name) else references.parse(name).with_default_tag().familiar


def _name(raw: bytes) -> Name:
    """A name's record; the first form of it was the image's id alone."""
    return msgspec.json.decode(raw, type=Name) if raw.startswith(b"{") else Name(raw.decode("ascii"))


def _change(found: dict[str, _T], change: Change, decode: Callable[[bytes], _T]) -> None:
    found.pop(change.key, None)
    if isinstance(change, Put):
        found[change.key] = decode(change.document)
