"""What GNU tar makes of an archive, and trees compared by all that an image keeps of a file."""

import hashlib
import os
import stat
import subprocess
from pathlib import Path

Tree = dict[bytes, tuple[object, ...]]
_COMMAND = ("tar", "--numeric-owner", "--same-owner", "-p", "--xattrs", "--xattrs-include=*", "-xf", "-")


def unpacked_by_tar(archive: bytes, place: Path) -> bool:
    """Let GNU tar unpack the archive; whether it found no fault in it."""
    command = [*_COMMAND, "-C", str(place)]
    done = subprocess.run(command, input=archive, capture_output=True, check=False, umask=0o22)
    return done.returncode == 0


def tree_of(root: Path, *, started_ns: int, directory_times: bool = True) -> Tree:
    """Types, modes, owners, times, links, attributes and content of everything below `root`.

    Times after `started_ns` are those of directories that no entry speaks of. GNU tar loses some times of
    directories when it meets them again after others: without `directory_times` they are left out.
    """
    found: Tree = {}
    links: dict[int, bytes] = {}
    pending = [os.fsencode(root)]
    while pending:
        directory = pending.pop()
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            below = os.path.relpath(path, os.fsencode(root))
            first = links.setdefault(status.st_ino, below)
            timeless = stat.S_ISDIR(status.st_mode) and not directory_times
            found[below] = (
                status.st_mode,
                status.st_uid,
                status.st_gid,
                "" if timeless else _time(status, started_ns),
                status.st_rdev,
                first,
                _attributes(path),
                _content(path, status.st_mode),
            )
            if stat.S_ISDIR(status.st_mode):
                pending.append(path)
    return found


def _time(status: os.stat_result, started_ns: int) -> int | str:
    given = status.st_mtime_ns < started_ns or status.st_mtime >= 1 << 32
    return status.st_mtime_ns if given else "now"


def _attributes(path: bytes) -> tuple[tuple[str, bytes], ...]:
    names = sorted(os.listxattr(path, follow_symlinks=False))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in names)


def _content(path: bytes, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return os.fsdecode(os.readlink(path))
    if not stat.S_ISREG(mode):
        return ""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
