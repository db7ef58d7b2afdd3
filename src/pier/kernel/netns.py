"""Network namespaces: making one, entering one, sysctls inside it. All of it changes the calling thread only.

A caller gives these functions a thread of its own; `Outside` brings the thread back to the namespace it came from.
"""

import ctypes
import os
from types import TracebackType
from typing import Self

CLONE_NEWNET = 0x40000000

_libc = ctypes.CDLL(None, use_errno=True)
_unshare = _libc.unshare
_unshare.argtypes = (ctypes.c_int,)
_setns = _libc.setns
_setns.argtypes = (ctypes.c_int, ctypes.c_int)


def current() -> int:
    """Return a descriptor of the calling thread's network namespace."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def unshare() -> int:
    """Move the calling thread into a fresh network namespace and return a descriptor of it."""
    if _unshare(CLONE_NEWNET) != 0:
        raise _failure("unshare(CLONE_NEWNET)")
    return current()


def enter(netns_fd: int) -> None:
    """Move the calling thread into the namespace."""
    if _setns(netns_fd, CLONE_NEWNET) != 0:
        raise _failure("setns")


def write_sysctl(name: str, value: str) -> None:
    """Set a sysctl of the calling thread's namespace; `name` has slashes (`net/ipv4/ip_forward`)."""
    descriptor = os.open(f"/proc/sys/{name}", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def read_sysctl(name: str) -> str:
    """Return a sysctl of the calling thread's namespace."""
    with open(f"/proc/sys/{name}", encoding="ascii") as file:
        return file.read().strip()


class Outside:
    """Remembers the calling thread's namespace; leaving the block brings the thread back into it."""

    def __enter__(self) -> Self:
        self._home = current()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            enter(self._home)
        finally:
            os.close(self._home)


def _failure(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
