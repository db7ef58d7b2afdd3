"""Mounts by descriptor (fsopen, open_tree, move_mount, mount_setattr …), and the older mount, umount2, pivot_root.

A mount that has not been attached lives as long as its descriptor, so a failure half-way leaves nothing behind.
Words are the kernel's, verbatim.
"""

import errno
import os
import struct
from collections.abc import Iterable

from pier.kernel.libc import call, syscall

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_SYNCHRONOUS, MS_REMOUNT, MS_MANDLOCK, MS_DIRSYNC = 16, 32, 64, 128
MS_NOATIME, MS_NODIRATIME, MS_BIND, MS_MOVE = 1024, 2048, 4096, 8192
MS_REC, MS_SILENT, MS_UNBINDABLE, MS_PRIVATE = 16384, 32768, 1 << 17, 1 << 18
MS_SLAVE, MS_SHARED, MS_RELATIME, MS_STRICTATIME = 1 << 19, 1 << 20, 1 << 21, 1 << 24
MNT_DETACH = 2

MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC = 1, 2, 4, 8
MOUNT_ATTR__ATIME, MOUNT_ATTR_RELATIME, MOUNT_ATTR_NOATIME, MOUNT_ATTR_STRICTATIME = 0x70, 0, 0x10, 0x20
MOUNT_ATTR_NODIRATIME, MOUNT_ATTR_IDMAP, MOUNT_ATTR_NOSYMFOLLOW = 0x80, 0x100000, 0x200000

AT_EMPTY_PATH, AT_RECURSIVE, AT_NO_AUTOMOUNT = 0x1000, 0x8000, 0x800
_OPEN_TREE_CLONE, _OPEN_TREE_CLOEXEC = 1, os.O_CLOEXEC
_FSOPEN_CLOEXEC, _FSMOUNT_CLOEXEC = 1, 1
_FSCONFIG_SET_FLAG, _FSCONFIG_SET_STRING, _FSCONFIG_CMD_CREATE = 0, 1, 6
_F_EMPTY_PATH, _T_EMPTY_PATH = 0x4, 0x40
_MOUNT_ATTR = struct.Struct("=QQQQ")
# fsconfig takes strings of at most 255 bytes; a longer path goes through /proc/self/fd.
_LONGEST_STRING = 255


def fsopen(filesystem: str) -> int:
    """A descriptor on which a new superblock of `filesystem` is configured."""
    return syscall("fsopen", filesystem.encode(), _FSOPEN_CLOEXEC)


def fsconfig(context: int, key: str, value: str | None) -> None:
    """Set one option: a flag when `value` is None, else a string."""
    if value is None:
        syscall("fsconfig", context, _FSCONFIG_SET_FLAG, key.encode(), None, 0)
    else:
        syscall("fsconfig", context, _FSCONFIG_SET_STRING, key.encode(), os.fsencode(value), 0)


def fsmount(context: int, attributes: int = 0) -> int:
    """Create the configured superblock and mount it, detached; closes `context` and returns the mount."""
    try:
        syscall("fsconfig", context, _FSCONFIG_CMD_CREATE, None, None, 0)
        return syscall("fsmount", context, _FSMOUNT_CLOEXEC, attributes)
    except OSError as error:
        raise OSError(error.errno, _complaint(context) or os.strerror(error.errno or 0)) from None
    finally:
        os.close(context)


def mounted(filesystem: str, options: Iterable[tuple[str, str | None]], attributes: int = 0) -> int:
    """A new detached mount of `filesystem` with its options. Raises OSError naming the option refused."""
    context = fsopen(filesystem)
    for key, value in options:
        try:
            fsconfig(context, key, value)
        except OSError as error:
            os.close(context)
            setting = key if value is None else f"{key}={value}"
            raise OSError(error.errno, os.strerror(error.errno or 0), setting) from None
    return fsmount(context, attributes)


def open_tree(directory: int, path: str = "", *, clone: bool = True, recursive: bool = False) -> int:
    """A detached copy of the mount at a path (of `directory` itself when empty), with its submounts if `recursive`."""
    flags = _OPEN_TREE_CLOEXEC | (_OPEN_TREE_CLONE if clone else 0) | (AT_RECURSIVE if recursive else 0)
    return syscall("open_tree", directory, os.fsencode(path), flags | (0 if path else AT_EMPTY_PATH))


def move_mount(mount: int, target: int) -> None:
    """Attach a detached mount on the place that `target` (O_PATH) names."""
    syscall("move_mount", mount, b"", target, b"", _F_EMPTY_PATH | _T_EMPTY_PATH)


def mount_setattr(mount: int, *, set_: int = 0, clear: int = 0, propagation: int = 0, recursive: bool = False) -> None:
    """Change attributes and propagation of a mount by descriptor, of the whole tree if `recursive`."""
    attributes = _MOUNT_ATTR.pack(set_, clear, propagation, 0)
    flags = AT_EMPTY_PATH | (AT_RECURSIVE if recursive else 0)
    syscall("mount_setattr", mount, b"", flags, attributes, _MOUNT_ATTR.size)


def mount(source: str | None, target: str, filesystem: str | None, flags: int, data: str | None = None) -> None:
    """mount(2)."""
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, filesystem, data)]
    call("mount", encoded[0], encoded[1], encoded[2], flags, encoded[3])


def umount2(target: str, flags: int = 0) -> None:
    """umount2(2)."""
    call("umount2", os.fsencode(target), flags)


def pivot_root(root: int) -> None:
    """Make the mount `root` this mount namespace's root and let go of the old one, with no directory for it.

    The trick is pivot_root(2)'s own: pivot_root(".", ".") stacks the old root over the new one, then it is detached.
    """
    os.fchdir(root)
    syscall("pivot_root", b".", b".")
    umount2(".", MNT_DETACH)
    os.chdir("/")


def overlay(lowers: tuple[str, ...], upper: str, work: str, options: tuple[tuple[str, str], ...] = ()) -> int:
    """A detached overlay mount; `lowers` from lowest to highest. Uses fsconfig(lowerdir+), which 6.7 brought.

    Raises OSError(EINVAL) on an older kernel: see `overlay_by_names`.
    """
    settings: list[tuple[str, str | None]] = [("source", "overlay")]
    held: list[int] = []
    try:
        settings += [("lowerdir+", _short(path, held)) for path in reversed(lowers)]
        settings += [("upperdir", _short(upper, held)), ("workdir", _short(work, held)), *options]
        return mounted("overlay", settings)
    finally:
        for descriptor in held:
            os.close(descriptor)


def overlay_by_names(
    lowers: tuple[str, ...], upper: str, work: str, target: str, options: tuple[tuple[str, str], ...] = ()
) -> None:
    """Mount an overlay on `target` by mount(2), whose options must fit in a page.

    The layers are opened and named by their descriptors' numbers from inside /proc/self/fd, which are three or four
    bytes each, so that hundreds fit. The working directory is left at "/".
    """
    held = [os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) for path in (*reversed(lowers), upper, work)]
    try:
        os.chdir("/proc/self/fd")
        layers = ":".join(str(descriptor) for descriptor in held[:-2])
        more = "".join(f",{key}={value}" for key, value in options)
        mount("overlay", target, "overlay", 0, f"lowerdir={layers},upperdir={held[-2]},workdir={held[-1]}{more}")
    finally:
        os.chdir("/")
        for descriptor in held:
            os.close(descriptor)


def _short(path: str, held: list[int]) -> str:
    if len(os.fsencode(path)) <= _LONGEST_STRING:
        return path
    held.append(os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
    return f"/proc/self/fd/{held[-1]}"


def _complaint(context: int) -> str:
    """What the kernel wrote into the context's log, for example "overlay: upperdir is in-use"."""
    lines: list[str] = []
    while True:
        try:
            lines.append(os.read(context, 4096).decode(errors="replace").strip()[2:])
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return "; ".join(lines)
