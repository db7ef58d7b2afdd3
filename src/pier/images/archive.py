"""Archives of trees, for `export`, `cp` and `commit`: packed and unpacked by workers, with a directory's descriptor
as the only way in.

The caller gives the root of a container as a descriptor (`/proc/<pid>/root`, or a private mount); nothing here knows
a path of the host.
"""

import asyncio
import base64
import json
import os
import stat
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pier.images.feeding import Drain, Feed
from pier.images.packing import Packer
from pier.images.workers import Job, Worker
from pier.spec.errors import InvalidParameter, NotFound
from pier.store.places import open_in_root

_GO_TYPES = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
}
_GO_BITS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


@dataclass(frozen=True, slots=True)
class Resource:
    """Something inside a root, found as Docker finds it: links on the way are followed, the thing itself is not.

    `directory` is the caller's to close; `base` is the last component, `.` for the directory itself.
    """

    directory: int
    base: str
    name: str  # what an archive of it calls it


def locate(root: int, path: str) -> Resource:
    """Find `path` inside the root. A trailing `/` or `/.` means the directory itself. NotFound in Docker's words."""
    clean = os.path.normpath("/" + path).lstrip("/")
    itself = path.endswith(("/", "/.")) or not clean
    parent, _, base = ("", "", ".") if not clean else clean.rpartition("/")
    directory, base = (clean, ".") if itself else (parent, base)
    try:
        fd = open_in_root(root, directory or ".", os.O_RDONLY | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError, OSError) as error:
        raise _missing(path, error) from None
    name = "." if path.endswith("/.") else (os.path.basename(clean) or "/")
    resource = Resource(fd, base, name)
    try:
        os.stat(base, dir_fd=fd, follow_symlinks=False)
    except OSError as error:
        os.close(fd)
        raise _missing(path, error) from None
    return resource


def _missing(path: str, error: OSError) -> NotFound | InvalidParameter:
    if isinstance(error, FileNotFoundError):
        return NotFound(f"Could not find the file {path}")
    return InvalidParameter(f"{path}: {os.strerror(error.errno or 0).lower()}")


def stat_header(root: int, resource: Resource) -> str:
    """The value of `X-Docker-Container-Path-Stat`."""
    status = os.stat(resource.base, dir_fd=resource.directory, follow_symlinks=False)
    target = os.readlink(resource.base, dir_fd=resource.directory) if stat.S_ISLNK(status.st_mode) else ""
    fields = {
        "name": resource.name,
        "size": status.st_size,
        "mode": go_mode(status.st_mode),
        "mtime": _go_time(status.st_mtime_ns),
        "linkTarget": _inside(root, resource, target) if target else "",
    }
    return base64.b64encode(json.dumps(fields, separators=(",", ":")).encode()).decode("ascii")


def _inside(root: int, resource: Resource, target: str) -> str:
    """Where a link leads, as a path of the container."""
    if target.startswith("/"):
        return os.path.normpath(target)
    here = os.readlink(f"/proc/self/fd/{resource.directory}")
    top = os.readlink(f"/proc/self/fd/{root}")
    below = here.removeprefix(top) if top != "/" else here
    return os.path.normpath("/" + os.path.join(below.strip("/"), target))


def go_mode(mode: int) -> int:
    """A file's mode as Go's `os.FileMode` numbers it."""
    bits = sum(number for bit, number in _GO_BITS.items() if mode & bit)
    return (mode & 0o777) | bits | _GO_TYPES.get(stat.S_IFMT(mode), 0)


def _go_time(time_ns: int) -> str:
    seconds, fraction = divmod(time_ns, 1_000_000_000)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return text + (f".{fraction:09d}".rstrip("0") if fraction else "") + "Z"


def write_tree(directory: int, out: BinaryIO) -> None:
    """Pack a directory into a stream, in this thread."""
    Packer(out.write).run(directory)


def pack(
    directory: int,
    *,
    select: str | None = None,
    rename: str | None = None,
    root_entry: bool = False,
    layer: bool = False,
) -> AsyncIterator[bytes]:
    """An archive of a directory, or of its one entry `select`, packed by a worker while it is read.

    `layer`: the directory is an overlay's upper one. Closing the iterator stops the worker.
    """
    return _written(Job(pack=True, layer=layer, select=select, rename=rename, root_entry=root_entry), directory)


async def _written(job: Job, place: int | Path) -> AsyncIterator[bytes]:
    """What a worker writes about a directory: the caller's descriptor, or a path of ours."""
    drain = Drain()
    directory = place if isinstance(place, int) else os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        worker = Worker.start(job, stream=drain.writer, directory=directory)
        drain.started()
        waiting = asyncio.create_task(worker.outcome())
        try:
            async for piece in drain.pieces():
                yield piece
            await waiting
        finally:
            worker.stop()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()
    finally:
        drain.close()
        if isinstance(place, Path):
            os.close(directory)


def pack_layers(layers: Path, names: Sequence[str], *, whiteouts: bool) -> AsyncIterator[bytes]:
    """Several layers (`<hex>/diff` below `layers`, lowest first) as one archive."""
    return _written(Job(layers=tuple(names), whiteouts=whiteouts), layers)


def compare_layers(layers: Path, old: Sequence[str], new: Sequence[str]) -> AsyncIterator[bytes]:
    """How the tree of the layers `new` differs from that of `old`: JSON documents, one a line."""
    return _written(Job(layers=tuple(new), against=tuple(old)), layers)


async def extract(
    source: AsyncIterator[bytes],
    directory: int,
    *,
    owner: tuple[int, int] | None = None,
    keep_directories: bool = False,
) -> None:
    """Unpack an archive, compressed or not, into a directory. Raises InvalidParameter, NoSpace; what is done stays.

    `owner` gives everything to one user; `keep_directories` refuses to put a file where a directory is and the reverse.
    """
    feed = Feed()
    try:
        job = Job(layer=False, owner=owner, keep_directories=keep_directories)
        worker = Worker.start(job, stream=feed.reader, directory=directory)
        feed.started()
        waiting = asyncio.create_task(worker.outcome())
        try:
            await feed.send(source)
            feed.end()
            await waiting
        finally:
            worker.stop()
            await asyncio.wait([waiting])
            if not waiting.cancelled():
                waiting.exception()
    finally:
        feed.end()
