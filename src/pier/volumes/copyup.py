"""Copy-up: a fresh volume gets what the image has at the place where the volume will be mounted, with owners and modes.

Both trees are walked by directory descriptors, and the first step into the image resolves inside its root: a symbolic
link or `..` in a VOLUME cannot lead to the host's files (CVE-2022-23648).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pier.kernel.openat2 import open_in_root
from pier.store import trees

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK = 1 << 24
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA, errno.EPERM, errno.EINVAL)


def copy_up(root: int, path: str, target: Path) -> bool:
    """Fill the empty directory `target` from `path` inside the image tree `root`. False when there is nothing to do.

    A new sibling is filled and then takes the target's place in one rename, so a broken copy leaves the target empty.
    Raises OSError.
    """
    try:
        source = open_in_root(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        if os.listdir(target):
            return False
        fresh = target.with_name(target.name + ".new")
        trees.remove(fresh)
        fresh.mkdir()
        copy_tree(source, fresh)
        try:
            os.rename(fresh, target)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _move_into(fresh, target)
    finally:
        os.close(source)
    return True


def copy_tree(source: int, target: Path) -> None:
    """Copy what the directory descriptor `source` holds, and its own owner and mode, into the directory `target`."""
    destination = os.open(target, _DIRECTORY)
    seen: dict[tuple[int, int], str] = {}
    stack: list[tuple[int, int, str, Iterator[str]]] = [(os.dup(source), destination, "", iter(os.listdir(source)))]
    top = os.dup(destination)
    try:
        while stack:
            here, there, place, names = stack[-1]
            name = next(names, None)
            if name is None:
                _copy_metadata(here, there)
                stack.pop()
                os.close(here)
                os.close(there)
            elif stat.S_ISDIR((status := os.stat(name, dir_fd=here, follow_symlinks=False)).st_mode):
                os.mkdir(name, 0o700, dir_fd=there)
                inner = os.open(name, _DIRECTORY, dir_fd=here)
                entry = (inner, os.open(name, _DIRECTORY, dir_fd=there), f"{place}{name}/", iter(os.listdir(inner)))
                stack.append(entry)
            elif (first := seen.get((status.st_dev, status.st_ino))) is not None and status.st_nlink > 1:
                os.link(first, name, src_dir_fd=top, dst_dir_fd=there, follow_symlinks=False)
            else:
                _copy_entry(here, there, name, status)
                seen[status.st_dev, status.st_ino] = place + name
    finally:
        os.close(top)
        for here, there, _, _ in stack:
            os.close(here)
            os.close(there)


def _copy_entry(here: int, there: int, name: str, status: os.stat_result) -> None:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        _copy_file(here, there, name)
        return
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(name, dir_fd=here), name, dir_fd=there)
    else:
        os.mknod(name, mode, status.st_rdev, dir_fd=there)
    os.chown(name, status.st_uid, status.st_gid, dir_fd=there, follow_symlinks=False)
    if not stat.S_ISLNK(mode):
        os.chmod(name, stat.S_IMODE(mode), dir_fd=there)
    os.utime(name, ns=(status.st_atime_ns, status.st_mtime_ns), dir_fd=there, follow_symlinks=False)


def _copy_file(here: int, there: int, name: str) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=here)
    try:
        writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=there)
        try:
            while os.sendfile(writer, reader, None, _CHUNK):
                pass
            _copy_metadata(reader, writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


def _copy_metadata(source: int, target: int) -> None:
    """Owner before mode: a change of owner takes set-user-id bits and file capabilities away."""
    status = os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    for name, value in _attributes(source):
        try:
            os.setxattr(target, name, value)
        except OSError as error:
            if error.errno not in _NO_XATTRS:
                raise
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def _attributes(source: int) -> Iterator[tuple[str, bytes]]:
    """Extended attributes that belong to the content: not overlay's own, not the host's labels."""
    try:
        names = os.listxattr(source)
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return
        raise
    for name in names:
        content = name.startswith(("user.", "trusted.", "system.posix_acl_")) or name == "security.capability"
        if content and not name.startswith(("trusted.overlay.", "user.overlay.")):
            with suppress(OSError):
                yield name, os.getxattr(source, name)


def _move_into(fresh: Path, target: Path) -> None:
    """The target is a mount of its own, which no rename can replace: copy once more, across file systems."""
    source = os.open(fresh, _DIRECTORY)
    try:
        copy_tree(source, target)
    finally:
        os.close(source)
        trees.remove(fresh)
