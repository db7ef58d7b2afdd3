"""Directories inside a tree that somebody else fills: names from an archive made clean, and their parents opened by
descriptor.

*Theory of operation.* `clean` makes a name relative and lexically free of `..`, as Docker does. `Places` then opens
the parent with `openat2(RESOLVE_IN_ROOT)`: links inside the tree are followed as a process with that root would, and
none leads out. Everything after that works on (descriptor, last component) and follows no link. A few parents stay
open, since the entries of a directory come one after the other.
"""

import os
import stat

from pier.kernel.openat2 import openat2
from pier.spec.errors import InvalidParameter

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PARENT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_KEEP = 32
_IMPLIED_MODE = 0o755


def clean(name: bytes) -> tuple[bytes, ...]:
    """The components of a name, below the root. InvalidParameter, in Docker's words, when it would lead out."""
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                if name.startswith(b"/"):
                    continue
                raise InvalidParameter(f"invalid tar entry: {os.fsdecode(name[:200])!r} is outside of the root")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return tuple(parts)


def open_in_root(root: int, path: str | bytes, flags: int) -> int:
    """Open a path as a process whose root is the directory `root` would. Raises OSError."""
    return openat2(root, path, flags)


class Places:
    """Opens the directories below `root`, a descriptor that the caller keeps; close it with `close`."""

    def __init__(self, root: int) -> None:
        self.root = root
        self._open: dict[tuple[bytes, ...], int] = {}

    def directory(self, parts: tuple[bytes, ...]) -> int:
        """A descriptor of the directory `parts`, which is made with its parents when it is missing. It stays ours."""
        if not parts:
            return self.root
        fd = self._open.get(parts)
        if fd is None:
            fd = self._reach(parts)
            self.keep(parts, fd)
        return fd

    def keep(self, parts: tuple[bytes, ...], fd: int) -> None:
        """Take over a descriptor of a directory that is likely to be asked for next."""
        old = self._open.pop(parts, None)
        if old is not None:
            os.close(old)
        while len(self._open) >= _KEEP:
            os.close(self._open.pop(next(iter(self._open))))
        self._open[parts] = fd

    def forget(self) -> None:
        """A directory or link was replaced: what is open may no longer be what its name means."""
        for fd in self._open.values():
            os.close(fd)
        self._open.clear()

    close = forget

    def _reach(self, parts: tuple[bytes, ...]) -> int:
        path = b"/".join(parts)
        try:
            return openat2(self.root, path, _OPEN_PARENT)
        except FileNotFoundError:
            pass
        # Climb to the deepest directory that is there, then make the rest: a loop, for names of two thousand
        # components.
        depth = len(parts) - 1
        while depth and not self._exists(parts[:depth]):
            depth -= 1
        for length in range(depth, len(parts)):
            self._make(parts[:length], parts[length])
        return openat2(self.root, path, _OPEN_PARENT)

    def _exists(self, parts: tuple[bytes, ...]) -> bool:
        try:
            os.close(openat2(self.root, b"/".join(parts), os.O_PATH))
        except FileNotFoundError:
            return False
        return True

    def _make(self, parents: tuple[bytes, ...], name: bytes) -> None:
        parent = openat2(self.root, b"/".join(parents), _OPEN_PARENT)
        try:
            os.mkdir(name, _IMPLIED_MODE, dir_fd=parent)
            if os.fstat(parent).st_mode & stat.S_ISGID:
                _disinherit(parent, name)
        except FileExistsError:
            pass  # a dangling link or a race: the open that follows decides
        finally:
            os.close(parent)


def _disinherit(parent: int, name: bytes) -> None:
    """Take from a directory the group and the bit that the kernel hands down: which of two entries came first must
    not count.
    """
    fd = os.open(name, DIRECTORY, dir_fd=parent)
    try:
        os.fchown(fd, -1, os.getegid())
        os.fchmod(fd, _IMPLIED_MODE)
    finally:
        os.close(fd)
