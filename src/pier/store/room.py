"""Room on the disk that is taken in advance, so that a full disk leaves something to write the last words with."""

import os
from pathlib import Path


class Room:
    """A file of `size` allocated bytes: `take` it while there is space, `give` it back in need."""

    def __init__(self, path: Path, size: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        self._size = size
        self._held = False
        self.take()

    @property
    def held(self) -> bool:
        """Whether the room is taken now."""
        return self._held

    def take(self) -> bool:
        """Allocate the room unless it is held; False when the disk has not that much."""
        if not self._held:
            try:
                os.posix_fallocate(self._fd, 0, self._size)
            except OSError:
                os.ftruncate(self._fd, 0)
            else:
                self._held = True
        return self._held

    def give(self) -> None:
        """Give the room back to the file system, for somebody to use at once."""
        os.ftruncate(self._fd, 0)
        os.fsync(self._fd)
        self._held = False

    def close(self) -> None:
        """Close the file; its blocks stay taken for the next start."""
        os.close(self._fd)
