"""Taking a container away: its processes, its files, its network, its volumes if asked, its record.

*Theory of operation.* The record says «removing» before anything is touched, when there are volumes to take along;
without them the record goes first and files that are left over are orphans that the next start of the daemon sweeps.
The directory is renamed into `tmp/` and emptied behind the caller's back, so that a removal takes no longer for large
containers.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pier.engine import transitions
from pier.engine.container import Container, Outcome
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.stopping import Stopping
from pier.runtime.faults import point
from pier.spec.errors import Conflict, NotFound, PierError
from pier.store import trees

_HINTS = {
    "running": "Stop the container before attempting removal or force remove",
    "restarting": "Stop the container before attempting removal or force remove",
    "paused": "Unpause and then stop the container before attempting removal or force remove",
}


class Removing:
    """Removes containers."""

    def __init__(self, projection: Projection, parts: Parts, stopping: Stopping) -> None:
        self._projection = projection
        self._parts = parts
        self._stopping = stopping
        self._sweeps: set[asyncio.Task[None]] = set()

    async def remove(self, container: Container, *, force: bool = False, volumes: bool = False) -> None:
        """Remove a container; a live one only by force. `volumes` takes its anonymous volumes along."""
        if container.removal:
            raise Conflict(f"removal of container {container.name} is already in progress")
        self._refuse_live(container, force=force)
        container.removal = True
        try:
            while not await self._remove(container, force=force, volumes=volumes):
                pass
        finally:
            container.removal = False

    async def auto_remove(self, container: Container) -> None:
        """Remove a container that asked for it (`--rm`), unless somebody else does already."""
        if not container.removal and self._projection.get(container.id) is container:
            try:
                await self.remove(container, force=True, volumes=True)
            except (Conflict, NotFound):
                return

    async def _remove(self, container: Container, *, force: bool, volumes: bool) -> bool:
        """False when a start that was under way already made it run again meanwhile."""
        await self._stopping.force(container)
        async with container.lock:
            self._projection.check(container)
            if container.state.running:
                self._refuse_live(container, force=force)
                return False
            anonymous = self._anonymous(container) if volumes else []
            if self._parts.cgroup(container.id).exists():  # its end could not empty it: without that nothing is removed
                await self._parts.offload.run(self._parts.empty_cgroup, container.id)
            if anonymous:
                await self._projection.change(container, transitions.removing(container.state))
                await self._remove_volumes(anonymous)
                point("remove-volumes")
            forgotten = self._projection.remove(container)
            self._parts.attachments.drop(container)  # who attaches from now on does not find it
            async with container.root_lock:
                await self._parts.offload.run(self._take_away, container)
            point("remove-moved")
            await forgotten
        self._release_image(container.record.image_id)
        self._parts.news.container(container, "destroy")
        container.tell("removed", Outcome(container.state.exit_code))
        self._sweep(container.id)
        return True

    def _refuse_live(self, container: Container, *, force: bool) -> None:
        if container.state.running and not force:
            status = container.state.status
            raise Conflict(f"You cannot remove a {status} container {container.id}. {_HINTS[status]}")

    def _release_image(self, image_id: str) -> None:
        """Tell the images when the last container of one is gone: it may have been removed by force under it."""
        if all(other.record.image_id != image_id for other in self._projection):
            self._parts.spawn(self._parts.offload.run(self._parts.images.release, image_id))

    def _anonymous(self, container: Container) -> list[tuple[str, str]]:
        """Its anonymous volumes that no other container uses, as (name, driver)."""
        used = {
            mounted.point.Name
            for other in self._projection
            if other is not container
            for mounted in other.record.mounts
        }
        return [
            (mounted.point.Name, mounted.point.Driver)
            for mounted in container.record.mounts
            if mounted.anonymous and mounted.point.Name not in used
        ]

    async def _remove_volumes(self, names: Iterable[tuple[str, str]]) -> None:
        for name, driver in names:
            try:
                await self._parts.offload.run(lambda name=name: self._parts.volumes.remove(name, force=True))
            except NotFound:
                continue
            except PierError:
                continue  # a volume that will not go must not keep the container: Docker goes on as well
            self._parts.news.volume("destroy", name, driver)

    def _take_away(self, container: Container) -> None:
        """In a thread: what the kernel still holds, then the files out of sight."""
        self._parts.empty_cgroup(container.id)
        self._parts.give_back(container.record)
        shutil.rmtree(self._parts.run_directory(container.id), ignore_errors=True)
        try:
            os.rename(self._parts.layout.container(container.id), self._grave(container.id))
        except FileNotFoundError:
            return

    def _grave(self, container_id: str) -> Path:
        return self._parts.layout.tmp / f"removed-{container_id}"

    def _sweep(self, container_id: str) -> None:
        task = asyncio.ensure_future(self._parts.offload.run(remove_tree, self._grave(container_id)))
        self._sweeps.add(task)
        task.add_done_callback(self._sweeps.discard)

    async def finished(self) -> None:
        """Wait until all that was removed is off the disk."""
        while self._sweeps:
            await asyncio.wait(self._sweeps)


def remove_tree(path: Path) -> None:
    """Delete what a container left; what cannot go stays for the next sweep."""
    with suppress(OSError):
        trees.remove(path)
