"""The json-file log format: one JSON object a line, `{"log":"text\\n","stream":"stdout","time":"RFC 3339"}`, and its
times.

Times are compared as text: UTC with nine digits sorts as it should, and no line's time is ever turned into a number.
"""

import time
from functools import lru_cache

import msgspec

STREAMS = ("stdout", "stderr")


class LogLine(msgspec.Struct, gc=False):
    """One entry. `attrs` are there when the driver was asked for labels or environment."""

    log: str = ""
    stream: str = ""
    time: str = ""
    attrs: dict[str, str] | None = None


@lru_cache(maxsize=4096)
def fixed_time(text: str) -> str:
    """Return an entry's time with nine digits of fraction, as `docker logs --timestamps` prints it."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9.9}Z"


def time_text(nanoseconds: int) -> str:
    """Return nanoseconds since the epoch as a fixed time."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:09}Z"
