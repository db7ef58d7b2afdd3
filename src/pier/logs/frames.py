"""From log entries to what `docker logs` sends: one frame an entry, with time and details in front if asked. Pure.

A megabyte of entries is decoded by one call and joined by one comprehension: a million lines take half a second.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from urllib.parse import quote

import msgspec

from pier.spec.logline import STREAMS, LogLine, fixed_time

_HEADS = {"stdout": b"\1\0\0\0", "stderr": b"\2\0\0\0"}
_SIZES = [struct.pack(">I", size) for size in range(17 * 1024)]  # the writer cuts lines at 16 KiB
_STREAM = attrgetter("stream")
_DECODER = msgspec.json.Decoder(LogLine)


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What a reader wants. Times are fixed texts (`spec.logline.time_text`), `tail` counts entries of both streams."""

    stdout: bool = True
    stderr: bool = True
    tail: int | None = None
    since: str = ""
    until: str = ""
    timestamps: bool = False
    details: bool = False
    follow: bool = False
    framed: bool = True

    @property
    def plain(self) -> bool:
        """Whether entries go out as they are: nothing left out, nothing in front."""
        return self.stdout and self.stderr and not (self.since or self.until or self.timestamps or self.details)


def decode(block: bytes) -> list[LogLine]:
    """Return the entries of whole lines; a line that is no entry (a crash cut it, a disk spoiled it) is left out."""
    try:
        return _DECODER.decode_lines(block)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return [line for text in block.splitlines() if (line := _decode_one(text)) is not None]


def render(lines: Sequence[LogLine], query: LogQuery, *, bulk: bool = False) -> bytes:
    """Return the entries as frames, or raw without `framed`. Entries of unknown streams are left out.

    In `bulk`, neighbours of one stream share a frame: the docker CLI writes once a frame, a million times for a
    million.
    """
    if not query.plain:
        wanted = {name for name in STREAMS if getattr(query, name)}
        since = query.since
        lines = [line for line in lines if line.stream in wanted and (not since or fixed_time(line.time) >= since)]
    if query.timestamps or query.details:
        text = _prefixed(timestamps=query.timestamps, details=query.details)
        pairs = [(line.stream, text(line)) for line in lines]
        return _joined(_together(pairs) if bulk else pairs, framed=query.framed)
    try:
        if not query.framed:
            return "".join([line.log for line in lines]).encode()
        if bulk:
            runs = groupby(lines, _STREAM)
            return _joined([(name, "".join([line.log for line in run]).encode()) for name, run in runs], framed=True)
        return b"".join(
            [_HEADS[line.stream] + _SIZES[len(log)] + log for line in lines for log in (line.log.encode(),)]
        )
    except (IndexError, KeyError, UnicodeEncodeError):  # an entry that our writer would not have written
        return _joined([(line.stream, _encoded(line.log)) for line in lines], framed=query.framed)


def until(lines: list[LogLine], end: str) -> tuple[list[LogLine], bool]:
    """Return the entries before the first that is later than `end`, and whether there is one."""
    for place, line in enumerate(lines):
        if fixed_time(line.time) > end:
            return lines[:place], True
    return lines, False


def _decode_one(text: bytes) -> LogLine | None:
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _prefixed(*, timestamps: bool, details: bool) -> Callable[[LogLine], bytes]:
    def text(line: LogLine) -> bytes:
        front = fixed_time(line.time) + " " if timestamps else ""
        if details:
            front += _details(line.attrs or {}) + " "
        return _encoded(front + line.log)

    return text


def _details(attributes: dict[str, str]) -> str:
    return ",".join(f"{quote(key, safe='')}={quote(attributes[key], safe='')}" for key in sorted(attributes))


def _together(pairs: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    return [(name, b"".join([text for _, text in run])) for name, run in groupby(pairs, itemgetter(0))]


def _joined(pairs: Sequence[tuple[str, bytes]], *, framed: bool) -> bytes:
    if not framed:
        return b"".join([text for _, text in pairs])
    return b"".join(
        [_HEADS[stream] + struct.pack(">I", len(text)) + text for stream, text in pairs if stream in _HEADS]
    )


def _encoded(text: str) -> bytes:
    return text.encode(errors="replace")
