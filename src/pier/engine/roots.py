"""A container's root for work from outside (`cp`, `export`, `commit`): that of its processes, or a private mount.

*Theory of operation.* One piece of work at a time has a container's root, and a start waits for it: an upper directory
is never mounted twice, not even by a descriptor that outlives the container's own mount. In a stopped container the
volumes are not mounted; a path that leads into one is looked up in the volume itself.
"""

import os
import select
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pier.engine.container import Container
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import Record
from pier.runtime.private_root import bare_root, over, private_root
from pier.spec.errors import Conflict
from pier.volumes.merged import merged_root

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True)
class Root:
    """A directory's descriptor, and the path inside it; `read_only` names what forbids writes."""

    descriptor: int
    path: str
    read_only: str = ""


class Roots:
    """Gives out roots."""

    def __init__(self, projection: Projection, parts: Parts) -> None:
        self._projection = projection
        self._parts = parts

    @asynccontextmanager
    async def open(self, container: Container, path: str = "/", *, bare: bool = False) -> AsyncIterator[Root]:
        """The root of a container, or of the volume that the path leads into, for as long as the block runs.

        `bare` leaves out all that is mounted in it.
        """
        async with container.root_lock:
            self._projection.check(container)
            if container.removal or container.state.status in ("removing", "dead"):
                raise Conflict(f"container {container.id} is marked for removal")
            root = await self._parts.offload.run(self._open, container, path, bare, abandoned=_close)
            try:
                yield root
            finally:
                os.close(root.descriptor)

    def _open(self, container: Container, path: str, bare: bool) -> Root:
        record = container.record
        inside = volume_of(record, path)
        forbidden = "container rootfs is marked read-only" if record.host_config.ReadonlyRootfs else ""
        if inside is not None:
            forbidden = "" if inside[2] else "mounted volume is marked read-only"
        if container.keeper is not None:
            return Root(_of_process(container, bare=bare), path, forbidden)
        if inside is not None:
            return Root(os.open(inside[0], _DIRECTORY), inside[1], forbidden)
        return Root(self._mounted(record), path, forbidden)

    def _mounted(self, record: Record) -> int:
        layout = self._parts.layout
        directory = layout.container(record.id)
        lowers = [layout.layer(layer) for layer in record.layers]
        upper, work = str(directory / "upper"), str(directory / "work")
        try:
            return private_root(tuple(map(str, lowers)), upper, work)
        except OSError as error:
            if not str(error.filename or "").startswith("lowerdir+"):
                raise
        with merged_root(lowers) as lower:
            return over(lower, upper, work)


def _close(root: Root) -> None:
    os.close(root.descriptor)


def _of_process(container: Container, *, bare: bool) -> int:
    """The root of its first process, proven not to be that of another one with the same number."""
    keeper = container.keeper
    if keeper is None or keeper.pidfd < 0:
        raise Conflict(f"container {container.id} is not running")
    try:
        descriptor = bare_root(keeper.pid) if bare else os.open(f"/proc/{keeper.pid}/root", _DIRECTORY)
    except (FileNotFoundError, ProcessLookupError):
        raise Conflict(f"container {container.id} is not running") from None
    poll = select.poll()
    poll.register(keeper.pidfd, select.POLLIN)
    if poll.poll(0):
        os.close(descriptor)
        raise Conflict(f"container {container.id} is not running")
    return descriptor


def volume_of(record: Record, path: str) -> tuple[str, str, bool] | None:
    """Where a path leads when it leads into a mount: the host's directory, the path inside, and whether it is
    writable.
    """
    clean = os.path.normpath("/" + path.lstrip("/"))
    tail = "/" if path.endswith("/") else "/." if path.endswith("/.") else ""
    inside = [
        mounted.point
        for mounted in record.mounts
        if mounted.point.Source and (clean + "/").startswith(mounted.point.Destination + "/")
    ]
    if not inside:
        return None
    point = max(inside, key=lambda each: len(each.Destination))
    rest = clean[len(point.Destination) :]
    if not os.path.isdir(point.Source):
        return os.path.dirname(point.Source), os.path.basename(point.Source) + rest + tail, point.RW
    return point.Source, (rest or "/") + (tail if rest else ""), point.RW
