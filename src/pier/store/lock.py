"""One daemon per data root: a lock that the kernel gives back when its holder dies."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from pier.spec.errors import Conflict

_NAME = "pier.lock"


class Lock:
    """Holds a data root for this process; a second holder is refused with Conflict, which names the first by its
    process id.
    """

    def __init__(self, data_root: Path) -> None:
        self._fd = os.open(data_root / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._fd)
            raise Conflict(f"data root {data_root} is already used by process {holder}") from None
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode("ascii"), 0)

    def release(self) -> None:
        """Give the data root back. Calling it twice is harmless."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
