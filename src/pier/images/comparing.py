"""What one image has and another has not (`pier image diff`): two stacks of layers walked side by side.

A directory that consists of the same layers on both sides is the same, and nothing below it is looked at: images that
share their lower layers are compared by what lies above. Files are changed when their kind, mode, owner, size, link
target, device, extended attributes or content differ; a time stamp alone is no change.
"""

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence

from pier.images import xattrs
from pier.images.layered import Entry, Layered
from pier.images.walking import Parts

ADDED, CHANGED, DELETED = "added", "changed", "deleted"
_CHUNK = 1 << 20
_FIELDS = ("st_mode", "st_uid", "st_gid", "st_rdev")

Difference = dict[str, object]


class Comparison:
    """Compares `old` with `new`. `names`: the layers' names on both sides, by which equal ones are known."""

    def __init__(self, old: Layered, new: Layered, names: tuple[Sequence[str], Sequence[str]]) -> None:
        self._old, self._new = old, new
        self._names = names
        self._counts: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()

    def run(self) -> Iterator[Difference]:
        """One document for each path that differs, those of one directory together; the totals come last."""
        waiting: list[tuple[Parts, tuple[int, ...], tuple[int, ...]]] = [((), self._old.top, self._new.top)]
        while waiting:
            parts, old, new = waiting.pop()
            if self._same_layers(old, new):
                continue
            below: list[tuple[Parts, tuple[int, ...], tuple[int, ...]]] = []
            with self._old.level(parts, old) as before, self._new.level(parts, new) as after:
                for one, other in _pairs(before, after):
                    yield from self._compare(one, other)
                    layers = _layers(one), _layers(other)
                    if any(layers):
                        below.append(((one or other).parts, *layers))  # type: ignore[union-attr]
            waiting += reversed(below)
        yield {"totals": {kind: self._total(kind) for kind in (ADDED, CHANGED, DELETED)}}

    def _total(self, kind: str) -> dict[str, int]:
        return {"count": self._counts[kind], "bytes": self._bytes[kind]}

    def _same_layers(self, old: Sequence[int], new: Sequence[int]) -> bool:
        return [self._names[0][one] for one in old] == [self._names[1][one] for one in new]

    def _compare(self, old: Entry | None, new: Entry | None) -> Iterator[Difference]:
        if old is None and new is not None:
            yield self._tell(ADDED, new.parts, 0, size(new))
        elif new is None and old is not None:
            yield self._tell(DELETED, old.parts, size(old), 0)
        elif old is not None and new is not None and differ(old, new):
            yield self._tell(CHANGED, new.parts, size(old), size(new))

    def _tell(self, kind: str, parts: Parts, before: int, after: int) -> Difference:
        self._counts[kind] += 1
        self._bytes[kind] += after - before
        return {"kind": kind, "path": "/" + os.fsdecode(b"/".join(parts)), "old_size": before, "size": after}


def _pairs(before: list[Entry], after: list[Entry]) -> list[tuple[Entry | None, Entry | None]]:
    old = {entry.name: entry for entry in before if not entry.is_whiteout}
    new = {entry.name: entry for entry in after if not entry.is_whiteout}
    return [(old.get(name), new.get(name)) for name in sorted(old.keys() | new.keys())]


def _layers(entry: Entry | None) -> tuple[int, ...]:
    return entry.layers if entry is not None and entry.is_directory else ()


def size(entry: Entry) -> int:
    """The bytes of a file; 0 of all else."""
    return entry.status.st_size if stat.S_ISREG(entry.status.st_mode) else 0


def differ(old: Entry, new: Entry) -> bool:
    """Whether the two are not the same file, by all but their times."""
    one, other = old.status, new.status
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):
        return False
    if any(getattr(one, field) != getattr(other, field) for field in _FIELDS) or size(old) != size(new):
        return True
    if stat.S_ISLNK(one.st_mode):
        return os.readlink(old.name, dir_fd=old.parent) != os.readlink(new.name, dir_fd=new.parent)
    if xattrs.read(_path(old)) != xattrs.read(_path(new)):
        return True
    return stat.S_ISREG(one.st_mode) and _contents_differ(old, new)


def _path(entry: Entry) -> bytes:
    return b"/proc/self/fd/%d/%s" % (entry.parent, entry.name)


def _contents_differ(old: Entry, new: Entry) -> bool:
    with _open(old) as one, _open(new) as other:
        while True:
            piece = one.read(_CHUNK)
            if piece != other.read(_CHUNK):
                return True
            if not piece:
                return False


def _open(entry: Entry) -> "BufferedReader":
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(entry.name, flags, dir_fd=entry.parent), "rb")


TYPE_CHECKING = False
if TYPE_CHECKING:
    from io import BufferedReader
