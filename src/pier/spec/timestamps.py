"""Points in time as Docker's clients write them (`since`, `until`): seconds since 1970, RFC 3339, or a duration ago."""

import re
from datetime import UTC, datetime

from pier.spec.errors import InvalidParameter

_SECOND = 1_000_000_000
_UNIX = re.compile(r"(-?)([0-9]{1,11})(?:\.([0-9]{1,9}))?", re.ASCII)
_DURATION = re.compile(r"([+-]?)((?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+", re.ASCII)
_PART = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {
    "ns": 1,
    "us": 1000,
    "µs": 1000,
    "μs": 1000,
    "ms": 10**6,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def parse(text: str, now: int) -> int:
    """Nanoseconds since 1970; a duration counts back from `now` (ns). Raises InvalidParameter in Docker's words."""
    if unix := _UNIX.fullmatch(text):
        value = int(unix[2]) * _SECOND + int((unix[3] or "").ljust(9, "0"))
        return -value if unix[1] else value
    if _DURATION.fullmatch(text):
        return now - duration(text)
    if _ISO.fullmatch(text):
        return _iso(text)
    raise InvalidParameter(f'failed to parse value as time or duration: "{text}"')


def duration(text: str) -> int:
    """Go's `time.ParseDuration` in nanoseconds: `1h30m`, `1.5s`. Raises InvalidParameter in Go's words."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise InvalidParameter(f'time: invalid duration "{text}"')
    total = 0
    for number, unit in _PART.findall(text):
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * _UNITS[unit]
        total += int(fraction or "0") * _UNITS[unit] // 10 ** len(fraction)
    if total >= 1 << 63:
        raise InvalidParameter(f'time: invalid duration "{text}"')
    return -total if text.startswith("-") else total


def iso(text: str) -> int:
    """An RFC 3339 time, with any number of decimals, as nanoseconds since 1970. Raises InvalidParameter."""
    if not _ISO.fullmatch(text):
        raise InvalidParameter(f'parsing time "{text}" as RFC 3339: cannot parse')
    return _iso(text)


def _iso(text: str) -> int:
    head, _, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :]
    if len(head) == len("2006-01-02T15"):
        head += ":00"
    try:
        moment = datetime.fromisoformat(head + zone)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = int(moment.timestamp())
    except (ValueError, OverflowError):
        raise InvalidParameter(f'parsing time "{text}": out of range') from None
    return seconds * _SECOND + int(digits[:9].ljust(9, "0") or "0")
