"""Open paths inside a tree that somebody else controls: openat2(2) with RESOLVE_IN_ROOT, directories made so too.

No path below a container's root is ever resolved by string: a symbolic link, however it is swapped, stays inside.
"""

import errno
import os
import struct

from pier.kernel.libc import syscall

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10

_OPEN_HOW = struct.Struct("=QQQ")
# The kernel answers EAGAIN when a rename anywhere raced with the walk; runc's figure.
_ATTEMPTS = 128


def openat2(directory: int, path: str | bytes, flags: int, *, mode: int = 0, resolve: int = RESOLVE_IN_ROOT) -> int:
    """Open `path` below `directory`; O_CLOEXEC is always set, magic links are never followed. Raises OSError."""
    name = os.fsencode(path) or b"."
    how = _OPEN_HOW.pack(flags | os.O_CLOEXEC, mode, resolve | RESOLVE_NO_MAGICLINKS)
    for _ in range(_ATTEMPTS):
        try:
            return syscall("openat2", directory, name, how, _OPEN_HOW.size)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise OSError(error.errno, os.strerror(error.errno or 0), os.fsdecode(name)) from None
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN), os.fsdecode(name))


def open_in_root(root: int, path: str | bytes, flags: int = os.O_PATH, mode: int = 0) -> int:
    """Open a path as a process whose root is `root` would, following links inside it."""
    return openat2(root, path, flags, mode=mode)


def make_directories(root: int, path: str, mode: int = 0o755) -> int:
    """Make the missing directories of `path` inside `root`, links followed inside it; an O_PATH descriptor of the last.

    Raises NotADirectoryError where a component is a file.
    """
    try:
        return openat2(root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        pass
    done = ""
    parent = openat2(root, ".", os.O_PATH | os.O_DIRECTORY)
    try:
        for part in _parts(path):
            done = f"{done}/{part}"
            child = _enter(root, parent, part, done, mode)
            os.close(parent)
            parent = child
        return os.dup(parent)
    finally:
        os.close(parent)


def make_file(root: int, path: str, mode: int = 0o755) -> int:
    """Make an empty file at `path` inside `root` unless something is there already; an O_PATH descriptor of it."""
    try:
        return openat2(root, path, os.O_PATH)
    except FileNotFoundError:
        pass
    head, _, name = path.rstrip("/").rpartition("/")
    parent = make_directories(root, head)
    try:
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(name, flags, mode, dir_fd=parent))
    except FileExistsError:
        pass  # a dangling link, or a race: the open below decides inside the root
    finally:
        os.close(parent)
    return openat2(root, path, os.O_PATH)


def _parts(path: str) -> list[str]:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return parts


def _enter(root: int, parent: int, part: str, done: str, mode: int) -> int:
    """Open one component, by its full path so that links resolve in the root, making it when it is missing."""
    try:
        return openat2(root, done, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        pass
    try:
        os.mkdir(part, mode, dir_fd=parent)
    except FileExistsError:
        pass  # a dangling link: the open below fails inside the root
    return openat2(root, done, os.O_PATH | os.O_DIRECTORY)
