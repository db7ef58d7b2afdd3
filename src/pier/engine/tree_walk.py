"""Walks a tree that a container fills, by descriptors and without recursion: no depth exhausts the stack, descriptors
or the length of a path, no link is followed, and a directory that is moved meanwhile never leads out of the tree.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
Parts = tuple[str, ...]


@dataclass
class Level:
    """One directory on the way: its identity, and the subdirectories that are still to be seen."""

    identity: tuple[int, int]
    todo: list[str] = field(default_factory=list)


class Entry:
    """One entry of the tree: its directory's components and descriptor (valid until the next one), name and status."""

    __slots__ = ("directory", "name", "parents", "status")

    def __init__(self, parents: Parts, directory: int, name: str, status: os.stat_result) -> None:
        self.parents, self.directory, self.name, self.status = parents, directory, name, status

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory itself (not a link to one)."""
        return stat.S_ISDIR(self.status.st_mode)

    @property
    def is_whiteout(self) -> bool:
        """Whether it is overlay's mark of a deletion."""
        return stat.S_ISCHR(self.status.st_mode) and self.status.st_rdev == 0


def walk(root: int) -> Iterator[Entry]:
    """Every entry below a directory's descriptor, parents before children, by name. What vanishes meanwhile is left
    out.

    Raises OSError when the tree is changed under the walk in a way that could lead out of it.
    """
    here = os.open(".", _DIRECTORY, dir_fd=root)
    parts: list[str] = []
    levels = [Level(_identity(here))]
    try:
        yield from _entries(here, (), levels[-1])
        while levels:
            if not levels[-1].todo:
                levels.pop()
                if levels:
                    here = _up(here, levels[-1].identity)
                    parts.pop()
                continue
            name = levels[-1].todo.pop()
            try:
                below = os.open(name, _DIRECTORY, dir_fd=here)
            except OSError:
                continue
            os.close(here)
            here = below
            parts.append(name)
            levels.append(Level(_identity(here)))
            yield from _entries(here, tuple(parts), levels[-1])
    finally:
        os.close(here)


def _entries(directory: int, parents: Parts, level: Level) -> Iterator[Entry]:
    names = sorted(os.listdir(directory))
    for name in names:
        try:
            entry = Entry(parents, directory, name, os.stat(name, dir_fd=directory, follow_symlinks=False))
        except FileNotFoundError:
            continue
        if entry.is_directory:
            level.todo.append(name)
        yield entry
    level.todo.reverse()


def _up(here: int, expected: tuple[int, int]) -> int:
    above = os.open("..", _DIRECTORY, dir_fd=here)
    if _identity(above) != expected:
        os.close(above)
        raise OSError("a directory was moved while it was read")
    os.close(here)
    return above


def _identity(directory: int) -> tuple[int, int]:
    status = os.fstat(directory)
    return status.st_dev, status.st_ino


def tree_size(root: int) -> int:
    """The bytes of all regular files below a directory, hard links counted once."""
    total = 0
    seen: set[tuple[int, int]] = set()
    for entry in walk(root):
        status = entry.status
        if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
            if status.st_nlink > 1:
                seen.add((status.st_dev, status.st_ino))
            total += status.st_size
    return total
