"""The files of one log, oldest first, though the writer rotates them meanwhile; and where the last N entries begin.

*Theory of operation.* The writer renames log → log.1 → log.2 and opens a new log (or, keeping one file, cuts it to
nothing). The reader holds its file open, so a rename does not disturb it; when that file ends, its inode tells under
which number it now stands, and the next file is the one with a number less.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1 << 16


class LogFiles:
    """A cursor over the bytes of a log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1
        self._inode = (0, 0)
        self._position = 0

    def close(self) -> None:
        """Let the open file go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def start(self, tail: int | None) -> None:
        """Put the cursor before the first entry, or before the last `tail` entries."""
        names = list(_names(self._path))
        if tail is None:
            self._open(names[0] if names else self._path, 0)
            return
        missing = tail
        for name in reversed(names):
            offset, missing = _place_of_last(name, missing)
            if not missing or name == names[0]:
                self._open(name, offset)
                return
        self._open(self._path, 0)

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; empty at the end of what is written so far."""
        while True:
            if self._descriptor < 0 and not self._open(self._path, 0):
                return b""
            if data := os.pread(self._descriptor, size, self._position):
                self._position += len(data)
                return data
            if not self._turn():
                return b""

    def finished_file(self) -> bool:
        """Whether the open file is one that the writer has rotated away, so that its end is final."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return True
        return (status.st_dev, status.st_ino) != self._inode

    def _turn(self) -> bool:
        """At the end of a file: go on to the next newer one, or to the start of one that was cut.

        False when there is none.
        """
        if os.fstat(self._descriptor).st_size < self._position:
            self._position = 0
            return True
        if not self.finished_file():
            return False
        if os.pread(self._descriptor, 1, self._position):
            return True  # written between our last read and the rotation
        newer = self._newer()
        self.close()
        return self._open(newer, 0)

    def _newer(self) -> Path:
        names = list(_names(self._path))
        for place, name in enumerate(names[:-1]):
            if _identity(name) == self._inode:
                return names[place + 1]
        return names[0] if names else self._path  # ours is deleted: the oldest that is left

    def _open(self, path: Path, offset: int) -> bool:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        self.close()
        status = os.fstat(descriptor)
        self._descriptor, self._inode, self._position = descriptor, (status.st_dev, status.st_ino), offset
        return True


def _names(path: Path) -> Iterator[Path]:
    """The files that exist, oldest first."""
    number = 1
    while path.with_name(f"{path.name}.{number}").exists():
        number += 1
    for each in range(number - 1, 0, -1):
        yield path.with_name(f"{path.name}.{each}")
    if path.exists():
        yield path


def _identity(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return 0, 0
    return status.st_dev, status.st_ino


def _place_of_last(path: Path, count: int) -> tuple[int, int]:
    """Return where the last `count` lines of a file begin, and how many it lacks. Reads blocks from the end."""
    try:
        with open(path, "rb", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            if not count:
                return end, 0
            return _search_backwards(file.fileno(), end, count)
    except FileNotFoundError:
        return 0, count


def _search_backwards(descriptor: int, end: int, count: int) -> tuple[int, int]:
    position, missing = end, count + 1  # the newline before the first wanted line is one more
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        block = os.pread(descriptor, size, position)
        if position + size == end and not block.endswith(b"\n"):
            block += b"\n"  # a line that is still being written counts
        found = block.count(b"\n")
        if found < missing:
            missing -= found
            continue
        place = len(block)
        for _ in range(missing):
            place = block.rfind(b"\n", 0, place)
        return position + place + 1, 0
    return 0, missing - 1
