"""`docker diff`: what a container changed in its root, read from its writable layer against the image's."""

import os
from collections.abc import Sequence
from pathlib import Path

from pier.engine.tree_walk import Entry, Parts, walk
from pier.store.places import open_in_root
from pier.volumes.merged import merged_root

MODIFIED, ADDED, DELETED = 0, 1, 2
Json = dict[str, object]

# What every start lays into the root is not the container's doing; Docker keeps it in a layer of its own.
_OURS = frozenset(
    tuple(path.split("/"))
    for path in (
        ".dockerenv",
        "dev",
        "dev/console",
        "dev/pts",
        "dev/shm",
        "dev/mqueue",
        "proc",
        "sys",
        "etc/hosts",
        "etc/hostname",
        "etc/resolv.conf",
        "etc/mtab",
    )
)
_OPAQUE = "trusted.overlay.opaque"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def changes(upper: Path, lowers: Sequence[Path]) -> list[Json]:
    """The changes by path. Raises OSError."""
    with merged_root(lowers) as image:
        root = os.open(upper, _DIRECTORY | os.O_NOFOLLOW)
        try:
            found = _compare(root, image)
        finally:
            os.close(root)
    return [{"Path": "/" + "/".join(parts), "Kind": kind} for parts, kind in found]


def _compare(root: int, image: int) -> list[tuple[Parts, int]]:
    found: dict[Parts, int] = {}
    quiet: set[Parts] = set()
    hidden: set[Parts] = set()
    for entry in walk(root):
        parts = (*entry.parents, entry.name)
        below = None if entry.parents in hidden else _status_in(image, parts)
        if entry.is_directory and (below is None or not _is_directory(below) or _opaque(entry)):
            hidden.add(parts)
        if parts in _OURS:
            continue
        kind = _kind(entry, below)
        if kind is None or (kind == MODIFIED and parts == ("etc",)):
            quiet.add(parts)
        elif kind != DELETED or below is not None:
            found[parts] = kind
            _wake(parts, quiet, found)
    return sorted(found.items())


def _wake(parts: Parts, quiet: set[Parts], found: dict[Parts, int]) -> None:
    """/etc itself counts as changed only when something in it is: each start lays three files there."""
    if parts[:1] == ("etc",) and ("etc",) in quiet:
        found.setdefault(("etc",), MODIFIED)


def _kind(entry: Entry, below: os.stat_result | None) -> int | None:
    if entry.is_whiteout:
        return DELETED
    if below is None:
        return ADDED
    same = entry.is_directory and _is_directory(below) and _meta(entry.status) == _meta(below)
    return None if same else MODIFIED


def _meta(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns


def _is_directory(status: os.stat_result) -> bool:
    return status.st_mode & 0o170000 == 0o040000


def _opaque(entry: Entry) -> bool:
    try:
        return os.getxattr(f"/proc/self/fd/{entry.directory}/{entry.name}", _OPAQUE, follow_symlinks=False) == b"y"
    except OSError:
        return False


def _status_in(image: int, parts: Parts) -> os.stat_result | None:
    try:
        descriptor = open_in_root(image, "/".join(parts), os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)
