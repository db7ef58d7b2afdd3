"""Fills a tmpfs with what it is going to cover; no link is followed, on either side."""

import os
import stat

from pier.runtime.steps import Failure, reason


def copy_up(source: int, mount: int) -> None:
    """Fill a tmpfs with what it is going to cover (podman's tmpcopyup); entries are copied without following links."""
    directory = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    status = os.fstat(directory)
    copy = os.open(f"/proc/self/fd/{mount}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchown(copy, status.st_uid, status.st_gid)
        os.fchmod(copy, stat.S_IMODE(status.st_mode))
        _copy_entries(directory, copy)
    finally:
        os.close(directory)
        os.close(copy)


def _copy_entries(source: int, target: int) -> None:
    for name in os.listdir(source):
        status = os.stat(name, dir_fd=source, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, stat.S_IMODE(status.st_mode), dir_fd=target)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
            there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=target)
            _copy_entries(below, there)
            os.close(below)
            os.close(there)
        elif stat.S_ISLNK(status.st_mode):
            os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
        elif stat.S_ISREG(status.st_mode):
            _copy_file(source, target, name, stat.S_IMODE(status.st_mode))
        else:
            continue
        os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)


def _copy_file(source: int, target: int, name: str, mode: int) -> None:
    reader = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    writer = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode, dir_fd=target)
    try:
        while os.sendfile(writer, reader, None, 1 << 20):
            pass
    except OSError as error:
        raise Failure(f"error copying {name!r} into tmpfs: {reason(error)}") from error
    finally:
        os.close(reader)
        os.close(writer)
