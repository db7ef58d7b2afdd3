"""Read a container's /etc/passwd and /etc/group before it starts, through its stacked layers, bounded and without a
mount.

*Theory of operation*: the overlay does not exist yet, so its lookup is done by hand, one component at a time and by
descriptor (`_Stack`): whiteouts and opaque directories as the kernel reads them, links resolved inside the root. The
files belong to whoever made the image: only regular files are opened, and more than `LIMIT` bytes are refused rather
than read (CVE-2026-47262, CVE-2025-4437).
"""

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from pier.spec.errors import InvalidParameter

LIMIT = 4 << 20
_LINKS = 40
_PLACE = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_ABSENT = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class Accounts:
    """The bytes of /etc/passwd and /etc/group; empty when a file is missing."""

    passwd: bytes = b""
    group: bytes = b""


def read(lowers: Sequence[str], upper: str = "") -> Accounts:
    """Both files as the layers show them: `lowers` lowest first, then `upper`.

    InvalidParameter when one is too large or no regular file; OSError when a layer cannot be opened.
    """
    layers = [upper, *reversed(lowers)] if upper else list(reversed(lowers))
    with ExitStack() as held:
        stack = _Stack(held, [_held(held, os.open(layer, _ROOT)) for layer in layers])
        return Accounts(_read(stack, "/etc/passwd"), _read(stack, "/etc/group"))


def _held(held: ExitStack, descriptor: int) -> int:
    held.callback(os.close, descriptor)
    return descriptor


def _read(stack: "_Stack", path: str) -> bytes:
    place = stack.find(path)
    if place is None:
        return b""
    if not stat.S_ISREG(os.fstat(place).st_mode):
        raise InvalidParameter(f"{path} of the container is not a regular file")
    with open(os.open(f"/proc/self/fd/{place}", os.O_RDONLY | os.O_CLOEXEC), "rb") as file:
        content = file.read(LIMIT + 1)
    if len(content) > LIMIT:
        raise InvalidParameter(f"{path} of the container is larger than {LIMIT} bytes")
    return content


class _Stack:
    """The layers of one root, highest first; a directory is the list of its descriptors in the layers that have it."""

    def __init__(self, held: ExitStack, roots: list[int]) -> None:
        self._held = held
        self._roots = roots

    def find(self, path: str) -> int | None:
        """The file or directory at `path` as a path descriptor, links followed inside the root; None when it is not
        there.
        """
        todo = path.split("/")[::-1]
        walked = [self._roots]
        links = 0
        while todo:
            name = todo.pop()
            if name in ("", "."):
                continue
            if name == "..":
                walked = walked[:-1] or walked
                continue
            found = self._child(walked[-1], name)
            if not found:
                return None
            if stat.S_ISLNK(os.fstat(found[0]).st_mode):
                links += 1
                if links > _LINKS:
                    return None
                target = os.readlink("", dir_fd=found[0])
                todo += target.split("/")[::-1]
                walked = [self._roots] if target.startswith("/") else walked
            else:
                walked.append(found)
        return walked[-1][0]

    def _child(self, directories: list[int], name: str) -> list[int]:
        """The entry `name`: one descriptor of a file, or those of a directory's layers; empty when absent."""
        found: list[int] = []
        for directory in directories:
            try:
                place = _held(self._held, os.open(name, _PLACE, dir_fd=directory))
            except OSError as error:
                if error.errno in _ABSENT:
                    continue
                raise
            status = os.fstat(place)
            if stat.S_ISDIR(status.st_mode):
                found.append(place)
                if _opaque(place):
                    break
            else:
                whiteout = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
                return found if found or whiteout else [place]
        return found


def _opaque(directory: int) -> bool:
    """Whether the directory hides those of lower layers."""
    try:
        return os.getxattr(f"/proc/self/fd/{directory}", "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
