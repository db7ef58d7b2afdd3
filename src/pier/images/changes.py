"""What a container changed (`docker diff`): its overlay's upper directory held against the layers below.

The lower trees are ours and nobody writes to them, so they are read by path; the upper one may be a running
container's and is walked by descriptors. A directory below counts only as far down as no layer between hides it with
a whiteout, a file or an opaque directory.
"""

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pier.images import xattrs
from pier.images.walking import Found, Parts, walk

MODIFIED, ADDED, DELETED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Change:
    """One change: Docker's `Kind` (0 modified, 1 added, 2 deleted) and `Path` inside the container."""

    kind: int
    path: str


def changes(upper: int, lowers: Sequence[Path]) -> list[Change]:
    """What the directory `upper` (a descriptor) changes over `lowers`, lowest first; sorted by path."""
    below: dict[Parts, list[bytes]] = {(): [os.fsencode(path) for path in reversed(lowers)]}
    found: list[Change] = []
    for entry in walk(upper):
        parents = below.get(entry.parts[:-1], [])
        old = _lookup(parents, entry.name)
        if entry.is_directory:
            opaque = _is_opaque(b"/proc/self/fd/%d/%s" % (entry.parent, entry.name))
            below[entry.parts] = [] if opaque else _directories(parents, entry.name)
        kind = _kind(entry, old)
        if kind is not None:
            found.append(Change(kind, "/" + os.fsdecode(b"/".join(entry.parts))))
    return sorted(found, key=lambda change: change.path)


def _kind(entry: Found, old: os.stat_result | None) -> int | None:
    if entry.is_whiteout:
        return DELETED if old is not None else None
    if old is None:
        return ADDED
    if entry.is_directory and stat.S_ISDIR(old.st_mode) and _same(entry.status, old):
        return None  # copied up on the way to something below it
    return MODIFIED


def _same(new: os.stat_result, old: os.stat_result) -> bool:
    fields = ("st_mode", "st_uid", "st_gid", "st_mtime_ns")
    return all(getattr(new, field) == getattr(old, field) for field in fields)


def _lookup(parents: list[bytes], name: bytes) -> os.stat_result | None:
    """What the layers below show under a name, the highest first."""
    for parent in parents:
        status = _status(parent + b"/" + name)
        if status is not None:
            return None if _is_whiteout(status) else status
    return None


def _directories(parents: list[bytes], name: bytes) -> list[bytes]:
    """The directories that merge under a name, the highest first."""
    merged: list[bytes] = []
    for parent in parents:
        path = parent + b"/" + name
        status = _status(path)
        if status is None:
            continue
        if not stat.S_ISDIR(status.st_mode):
            break
        merged.append(path)
        if _is_opaque(path):
            break
    return merged


def _status(path: bytes) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_whiteout(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def _is_opaque(path: bytes) -> bool:
    try:
        return os.getxattr(path, xattrs.OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False
