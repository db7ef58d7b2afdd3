"""Which images a list shows and a prune takes: the filters of `docker images` and `docker image prune`. Pure."""

import re
from collections.abc import Callable, Iterable, Sequence

from pier.images.image import Image
from pier.spec import references, timestamps
from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

LIST = frozenset({"before", "dangling", "label", "reference", "since", "until"})
PRUNE = frozenset({"dangling", "label", "label!", "until"})
_CHARACTERS = {"*": "[^/]*", "?": "[^/]"}


def choose(images: Sequence[Image], filters: Filters, find: Callable[[str], Image], now: int) -> list[Image]:
    """The images that pass, in their order. Raises InvalidParameter, and NotFound for an image named in a filter."""
    filters.validate(LIST)
    chosen: Iterable[Image] = images
    if "dangling" in filters:
        dangling = filters.boolean("dangling", False)
        chosen = [image for image in chosen if is_dangling(image) is dangling]
    for name in filters.get("before"):
        limit = created(find(name))
        chosen = [image for image in chosen if created(image) < limit]
    for name in filters.get("since"):
        limit = created(find(name))
        chosen = [image for image in chosen if created(image) > limit]
    if "until" in filters:
        limit = until(filters, now)
        chosen = [image for image in chosen if created(image) <= limit]
    patterns = filters.get("reference")
    return [
        image
        for image in chosen
        if filters.labels(image.config.run.labels or {})
        and (not patterns or any(_named(image, each) for each in patterns))
    ]


def names(image: Image, filters: Filters) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tags and digests to show: with a filter on references, those that match it."""
    patterns = filters.get("reference")
    if not patterns:
        return image.tags, image.digests
    tags = tuple(tag for tag in image.tags if any(_matches(tag, each) for each in patterns))
    digests = tuple(digest for digest in image.digests if any(_matches(digest, each) for each in patterns))
    return tags, digests


def prunable(image: Image, filters: Filters, now: int) -> bool:
    """True when a prune takes the image, as far as nobody uses it: it is dangling, or any will do; the filters pass."""
    labels = image.config.run.labels or {}
    return (
        (not filters.boolean("dangling", True) or is_dangling(image))
        and filters.labels(labels)
        and filters.without_labels(labels)
        and ("until" not in filters or created(image) <= until(filters, now))
    )


def is_dangling(image: Image) -> bool:
    """True when no name leads to the image, not even by way of an index."""
    return not (image.tags or image.digests or image.variant_of)


def created(image: Image) -> int:
    """When the image was made, in ns since 1970; 0 when it does not say."""
    try:
        return timestamps.iso(image.created)
    except InvalidParameter:
        return 0


def until(filters: Filters, now: int) -> int:
    """The one point in time of `until`, in ns."""
    values = filters.get("until")
    if len(values) != 1:
        raise InvalidParameter("more than one until filter specified" if values else "no until filter specified")
    return timestamps.parse(values[0], now)


def _named(image: Image, pattern: str) -> bool:
    return any(_matches(name, pattern) for name in (*image.tags, *image.digests))


def _matches(name: str, pattern: str) -> bool:
    """Docker's `reference.FamiliarMatch`: the pattern against the whole familiar name, or the name without its tag."""
    compiled = _compile(pattern)
    reference = references.parse(name)
    return any(compiled.fullmatch(text) is not None for text in (reference.familiar, reference.familiar_name))


def _compile(pattern: str) -> re.Pattern[str]:
    """Go's `path.Match` as a regular expression."""
    parts: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        if character == "[":
            end = pattern.find("]", position + 2)
            if end < 0:
                raise InvalidParameter("syntax error in pattern")
            parts.append("[" + pattern[position + 1 : end].replace("\\", r"\\").replace("[", r"\[") + "]")
            position = end
        elif character == "\\" and position + 1 < len(pattern):
            position += 1
            parts.append(re.escape(pattern[position]))
        else:
            parts.append(_CHARACTERS.get(character) or re.escape(character))
        position += 1
    try:
        return re.compile("".join(parts))
    except re.error:
        raise InvalidParameter("syntax error in pattern") from None
