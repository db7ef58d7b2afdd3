"""The filters of `docker search`. Pure."""

from collections.abc import Callable, Mapping

from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

_NAMES = frozenset({"is-automated", "is-official", "stars"})


def passes(filters: Filters) -> Callable[[Mapping[str, object]], bool]:
    """Whether a result is shown. InvalidParameter for a filter or a value that Docker refuses."""
    filters.validate(_NAMES)
    if filters.boolean("is-automated", False):
        return lambda _: False  # as Docker: nothing is automated any more
    official = filters.boolean("is-official", False) if "is-official" in filters else None
    stars = max((_stars(text) for text in filters.get("stars")), default=0)

    def passes_all(row: Mapping[str, object]) -> bool:
        count = row["star_count"]
        return (official is None or row["is_official"] is official) and isinstance(count, int) and count >= stars

    return passes_all


def _stars(text: str) -> int:
    if not text.isdecimal():
        raise InvalidParameter(f"invalid filter 'stars=[{text}]'")
    return int(text)
