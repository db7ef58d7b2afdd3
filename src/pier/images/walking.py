"""Walk a tree that somebody may be changing: by descriptors, no link followed, names sorted, so that two walks of one
tree agree.
"""

import os
import stat
from collections.abc import Iterator

from pier.spec.errors import InvalidParameter

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_DEPTH = 900  # directories open at a time, below the usual limit of 1024 descriptors

Parts = tuple[bytes, ...]


class Found:
    """Something in the tree: its path below the root, and where to reach it."""

    __slots__ = ("name", "parent", "parts", "status")

    def __init__(self, parts: Parts, parent: int, name: bytes, status: os.stat_result) -> None:
        self.parts = parts
        self.parent = parent  # a descriptor of its directory, open until the walk goes on
        self.name = name
        self.status = status

    @property
    def is_whiteout(self) -> bool:
        """Whether overlay takes it for «nothing is here»."""
        return stat.S_ISCHR(self.status.st_mode) and self.status.st_rdev == 0

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory, of whose content the walk comes next."""
        return stat.S_ISDIR(self.status.st_mode)


def walk(root: int) -> Iterator[Found]:
    """Everything below the directory `root`, a directory before what is in it. What vanishes meanwhile is left out."""
    stack = [_Level((), os.dup(root))]
    try:
        while stack:
            level = stack[-1]
            if not level.names:
                os.close(stack.pop().fd)
                continue
            name = level.names.pop()
            try:
                status = os.stat(name, dir_fd=level.fd, follow_symlinks=False)
            except FileNotFoundError:
                continue
            found = Found((*level.parts, name), level.fd, name, status)
            yield found
            if found.is_directory:
                _descend(stack, found)
    finally:
        for level in stack:
            os.close(level.fd)


class _Level:
    __slots__ = ("fd", "names", "parts")

    def __init__(self, parts: Parts, fd: int) -> None:
        self.parts = parts
        self.fd = fd
        here = os.open(".", _DIRECTORY, dir_fd=fd)  # a descriptor of its own, whose position nobody else has moved
        try:
            self.names = sorted(map(os.fsencode, os.listdir(here)), reverse=True)
        finally:
            os.close(here)


def _descend(stack: list[_Level], found: Found) -> None:
    if len(stack) > _MAX_DEPTH:
        raise InvalidParameter(f"directories deeper than {_MAX_DEPTH} cannot be archived")
    try:
        fd = os.open(found.name, _DIRECTORY, dir_fd=found.parent)
    except (FileNotFoundError, NotADirectoryError, OSError):
        return
    stack.append(_Level(found.parts, fd))
