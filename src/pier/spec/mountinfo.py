"""The kernel's table of mounts, /proc/<pid>/mountinfo of proc_pid_mountinfo(5): its lines as typed values."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SELF = Path("/proc/self/mountinfo")
_ESCAPED = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Line:
    """One mount: where it is, its file system's name, and its optional fields (`shared:7`, `master:3` …).

    The point is a path as `os.fsdecode` gives it.
    """

    point: str
    kind: str
    tags: tuple[str, ...]


def parse(table: bytes) -> Iterator[Line]:
    """Every mount in the kernel's order, a later one on the same point lies on top. Lines of another form are none."""
    for text in table.decode("utf-8", "surrogateescape").split("\n"):
        fields = text.split(" ")
        if len(fields) < 10 or "-" not in fields[6:-3]:
            continue
        end = fields.index("-", 6)
        yield Line(_unescaped(fields[4]), _unescaped(fields[end + 1]), tuple(fields[6:end]))


def _unescaped(field: str) -> str:
    """Blank, tab, newline, `#` and backslash come as three octal digits."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 8)), field)
