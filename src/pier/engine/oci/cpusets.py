"""Lists of processors (`0-3,5`) as ranges: a list of two billion processors stays two numbers (CVE-2018-20699)."""

_MAXIMUM = 8192  # Docker's bound, and more than any kernel's
_MAXIMUM_RANGES = 1024


class InvalidList(ValueError):
    """The text is no list of numbers and ranges; the message is Docker's."""


def parse(text: str) -> list[tuple[int, int]]:
    """The ranges of a list, sorted; none for an empty text. InvalidList otherwise."""
    if not text.strip():
        return []
    parts = text.split(",")
    if len(parts) > _MAXIMUM_RANGES:
        raise InvalidList(f"invalid format: {text[:80]}")
    return sorted(_range(part) for part in parts)


def covers(available: str, asked: str) -> bool:
    """Whether every number asked for is available. InvalidList when `asked` is no list."""
    have = _joined(parse(available))
    return all(any(low <= first and last <= high for low, high in have) for first, last in parse(asked))


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Neighbouring ranges as one."""
    joined: list[tuple[int, int]] = []
    for first, last in ranges:
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined


def _range(part: str) -> tuple[int, int]:
    first, dash, last = part.partition("-")
    low = _number(first)
    high = _number(last) if dash else low
    if high < low:
        raise InvalidList(f"invalid format: {part}")
    return low, high


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InvalidList(f"invalid format: {text[:80]}")
    if len(text) > 10 or int(text) > _MAXIMUM:
        raise InvalidList(f"value of out range, maximum is {_MAXIMUM}")
    return int(text)
