"""Watches on files and directories: inotify(7)."""

import ctypes
import os
from types import TracebackType
from typing import Self

IN_MODIFY = 0x2
IN_ATTRIB = 0x4
IN_MOVED_TO = 0x80
IN_CREATE = 0x100
IN_DELETE = 0x200
IN_MOVE_SELF = 0x800

_libc = ctypes.CDLL(None, use_errno=True)


class Inotify:
    """A non-blocking queue of events; readable when one has come."""

    def __init__(self) -> None:
        self._descriptor = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self._descriptor < 0:
            raise _failure("inotify_init1")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return int(self._descriptor)

    def watch(self, path: bytes, mask: int) -> None:
        """Add a watch."""
        if _libc.inotify_add_watch(self._descriptor, path, mask) < 0:
            raise _failure("inotify_add_watch")

    def drain(self) -> None:
        """Throw away what has come: the caller looks at the files themselves."""
        try:
            while os.read(self._descriptor, 65536):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close the queue; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _failure(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{name}: {os.strerror(number)}")
