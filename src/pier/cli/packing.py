"""Files of this machine as a tar stream, for `pier cp` and base images. Only loaded when something is packed.

Packing streams: a file's contents never stand in memory.
"""

from __future__ import annotations

import os
import stat
import tarfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PIECE = 1 << 18
BLOCK = 512


def pack(source: str, name: str, *, follow: bool, keep_owner: bool, time: int | None = None) -> Iterator[bytes]:
    """The file or tree at `source` under `name`; `follow` applies to the source itself. With `time`, in seconds since
    1970, everything has that.
    """
    links: dict[tuple[int, int], str] = {}
    for path, inner in _walk(source, name):
        yield from _entry(path, inner, links, follow=follow and path == source, keep_owner=keep_owner, time=time)
    yield b"\0" * (2 * BLOCK)


def _walk(source: str, name: str) -> Iterator[tuple[str, str]]:
    yield source, name
    if not os.path.isdir(source) or (os.path.islink(source.rstrip("/")) and not source.endswith(("/", "/."))):
        return
    for entry in sorted(os.scandir(source), key=lambda one: one.name):
        inner = f"{name}/{entry.name}" if name not in ("", ".") else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, inner)
        else:
            yield entry.path, inner


def _entry(
    path: str,
    name: str,
    links: dict[tuple[int, int], str],
    *,
    follow: bool,
    keep_owner: bool,
    time: int | None,
) -> Iterator[bytes]:
    status = os.stat(path) if follow or path.endswith(("/", "/.")) else os.lstat(path)
    if stat.S_ISSOCK(status.st_mode):
        return
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode), status.st_mtime if time is None else time
    if keep_owner:
        info.uid, info.gid = status.st_uid, status.st_gid
    key = (status.st_dev, status.st_ino)
    if stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISREG(status.st_mode):
        if status.st_nlink > 1 and key in links:
            info.type, info.linkname = tarfile.LNKTYPE, links[key]
        else:
            links[key] = name
            info.size = status.st_size
    else:
        _device(info, status)
    yield info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
    if info.size:
        yield from _contents(path, info.size)


def _device(info: tarfile.TarInfo, status: os.stat_result) -> None:
    kinds = ((stat.S_ISCHR, tarfile.CHRTYPE), (stat.S_ISBLK, tarfile.BLKTYPE), (stat.S_ISFIFO, tarfile.FIFOTYPE))
    info.type = next(kind for test, kind in kinds if test(status.st_mode))
    info.devmajor, info.devminor = os.major(status.st_rdev), os.minor(status.st_rdev)


def _contents(path: str, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes: a file that shrinks meanwhile is filled up, one that grows is cut."""
    left = size
    with open(path, "rb", buffering=0) as file:
        while left:
            data = file.read(min(PIECE, left)) or b"\0" * min(PIECE, left)
            left -= len(data)
            yield data
    yield b"\0" * (-size % BLOCK)
