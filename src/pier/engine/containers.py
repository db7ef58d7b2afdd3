"""Containers as the API sees them: each call finds its container and hands the work to the service that does it."""

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import msgspec

from pier.engine import listing, top
from pier.engine.archives import Archives
from pier.engine.attaching import Attaching, AttachQuery, Takeover
from pier.engine.changes import changes
from pier.engine.committing import Committing, Wishes
from pier.engine.container import Container, Outcome
from pier.engine.creating import Creating
from pier.engine.detach_keys import parse_detach_keys
from pier.engine.exits import Exits
from pier.engine.inspect import Places, inspect
from pier.engine.listing import Facts, ListQuery
from pier.engine.logs import Logs
from pier.engine.names import check_name
from pier.engine.oci import resources, security
from pier.engine.offload import of_host
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import Record, replaced
from pier.engine.removing import Removing
from pier.engine.roots import Roots
from pier.engine.signals import parse_signal
from pier.engine.sizes import Sizes
from pier.engine.start_files import log_path
from pier.engine.starting import Starting
from pier.engine.stats import Stats
from pier.engine.stopping import Stopping
from pier.engine.summary import summarise
from pier.engine.volume_making import VolumeMaking
from pier.engine.waiting import parse_condition
from pier.logs.frames import LogQuery
from pier.runtime import limits
from pier.runtime.cgroups import ContainerCgroup, Write
from pier.spec.containers import CreateRequest, CreateResponse, HostConfig, UpdateConfig
from pier.spec.errors import Conflict, InvalidParameter, NotFound, NotModified, PierError
from pier.spec.filters import Filters

Json = dict[str, object]
# inside the class `list` is the method
Rows = list[Json]
Names = list[str]


class Containers:
    """The containers of this daemon."""

    def __init__(self, projection: Projection, parts: Parts) -> None:
        self._projection = projection
        self._parts = parts
        self.volumes = VolumeMaking(parts)
        self.exits = Exits(projection, parts)
        self._stopping = Stopping(projection, parts, self.exits)
        self._removing = Removing(projection, parts, self._stopping)
        self.starting = Starting(projection, parts, self.exits)
        self.exits.start_again = self.starting.start_again
        self.exits.remove = self._removing.auto_remove
        self._creating = Creating(projection, parts, self.volumes)
        self._logs = Logs(parts)
        self._attaching = Attaching(projection, parts, self._logs)
        self._sizes = Sizes(parts)
        roots = Roots(projection, parts)
        self.archives = Archives(parts, roots)
        self._committing = Committing(parts, roots, self._stopping)
        self._stats = Stats(parts)

    async def create(self, body: CreateRequest, name: str | None, *, platform: str = "") -> CreateResponse:
        """Make a container; nothing runs yet. An image of another `platform` than asked for counts as missing."""
        return await self._creating.create(body, name, platform)

    async def start(self, name: str, *, detach_keys: str = "") -> None:
        """Start it; `NotModified` when it runs."""
        container = self._projection.find(name)
        parse_detach_keys(detach_keys)
        await self.starting.start(container)

    async def stop(self, name: str, *, timeout: int | None = None, signal: str = "") -> None:
        """End it with its stop signal, then KILL; `NotModified` when it is not running."""
        await self._stopping.stop(self._projection.find(name), timeout, signal)

    async def restart(self, name: str, *, timeout: int | None = None, signal: str = "") -> None:
        """End it if it runs, and start it; an AutoRemove waits for a real end."""
        container = self._projection.find(name)
        container.held_back += 1
        try:
            if container.state.running:
                number = parse_signal(signal) if signal else None
                await self._stopping.end(container, timeout, number)
            with suppress(NotModified):  # another restart, or a start, came first
                await self.starting.start(container)
        finally:
            container.held_back -= 1
        self._parts.news.container(container, "restart")

    async def kill(self, name: str, signal: str = "") -> None:
        """Send it a signal."""
        await self._stopping.kill(self._projection.find(name), signal)

    async def pause(self, name: str) -> None:
        """Freeze it."""
        await self._stopping.pause(self._projection.find(name))

    async def unpause(self, name: str) -> None:
        """Let it go on."""
        await self._stopping.unpause(self._projection.find(name))

    def wait(self, name: str, condition: str = "") -> "asyncio.Future[Outcome]":
        """A future of its outcome, made before the answer's head goes out, so that no exit in between is missed."""
        container = self._projection.find(name)
        return container.wait_for(parse_condition(condition))

    async def remove(self, name: str, *, force: bool = False, volumes: bool = False, links: bool = False) -> None:
        """Take it away."""
        if links:
            raise InvalidParameter(f"Could not get parent container for link {name}")
        await self._removing.remove(self._projection.find(name), force=force, volumes=volumes)

    async def auto_remove(self, container: Container) -> None:
        """Remove one that asked to be removed at its end."""
        await self._removing.auto_remove(container)

    async def rename(self, name: str, new_name: str) -> None:
        """Give it another name."""
        container = self._projection.find(name)
        if not new_name:
            raise InvalidParameter("Neither old nor new names may be empty")
        wanted = check_name(new_name)
        old = container.name
        if wanted == old:
            raise InvalidParameter("Renaming a container with the same name as its current name")
        await self._projection.rename(container, wanted)
        self._parts.news.container(container, "rename", oldName="/" + old)

    async def resize(self, name: str, rows: int, columns: int) -> None:
        """Set the size of its terminal."""
        container = self._projection.find(name)
        if container.keeper is None:
            raise Conflict(f"Container {container.id} is not running")
        await container.keeper.resize(rows, columns)
        self._parts.news.container(container, "resize", height=str(rows), width=str(columns))

    async def update(self, name: str, body: UpdateConfig) -> Json:
        """Change its limits and its restart policy, now and for later starts."""
        container = self._projection.find(name)
        if container.removal:
            raise Conflict('Container is marked for removal and cannot be "update".')
        async with container.lock:
            host = self._parts.host
            updated, warnings = resources.updated(container.record.host_config, body, host)
            self._projection.check(container)
            if container.state.status in ("running", "paused"):
                await self._limit(container, updated)
            container.record = replaced(container.record, host_config=updated)
            await self._projection.save(container)
        self._parts.news.container(container, "update")
        return {"Warnings": warnings}

    async def _limit(self, container: Container, host_config: HostConfig) -> None:
        """Put other limits in force; a container that ends in this moment gets them at its next start."""
        cgroup = self._parts.cgroup(container.id)
        wanted = limits.writes(msgspec.to_builtins(resources.linux_resources(host_config)), cgroup.layout)
        try:
            await self._parts.offload.run(_update, cgroup, wanted)
        except PierError:
            if cgroup.exists():
                raise

    async def top(self, name: str, arguments: str = "") -> top.Table:
        """Its processes as ps(1) shows them."""
        words = top.check_arguments(arguments)
        container = self._projection.find(name)
        if container.state.status == "restarting":
            raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
        if not container.state.running:
            raise Conflict(f"Container {container.id} is not running")
        cgroup = self._parts.cgroup(container.id)
        table = await self._parts.offload.run(lambda: top.run_ps(words, cgroup.processes()))
        self._parts.news.container(container, "top")
        return table

    async def list(self, query: ListQuery) -> Rows:
        """The rows of `docker ps`."""
        facts = Facts(lambda reference: self._projection.find(reference).record, self._image_ids, self._health)
        records = listing.select((container.record for container in self._projection), query, facts)
        sizes = await self._sizes.of(records) if query.size else {}
        names: dict[tuple[str, str], str] = {}
        now = time.time_ns()
        return [
            summarise(
                record, self._image_name(record, names), now, sizes.get(record.id), health=self._health(record.id)
            )
            for record in records
        ]

    def _health(self, container_id: str) -> str:
        container = self._projection.get(container_id)
        return container.health_status if container else "none"

    def _image_name(self, record: Record, known: dict[tuple[str, str], str]) -> str:
        """The name of its create, unless that means another image by now."""
        key = record.config.Image, record.image_id
        if key not in known:
            try:
                found = self._parts.images.find(key[0]).id
            except (NotFound, InvalidParameter):
                found = ""
            known[key] = key[0] if found == key[1] else key[1]
        return known[key]

    def _image_ids(self, name: str) -> frozenset[str]:
        """An image and those made from it; none when there is no such image."""
        try:
            todo = [self._parts.images.find(name).id]
        except (NotFound, InvalidParameter):
            return frozenset()
        found: set[str] = set()
        while todo:
            image_id = todo.pop()
            if image_id not in found:
                found.add(image_id)
                todo += self._parts.images.children(image_id)
        return frozenset(found)

    async def inspect(self, name: str, *, size: bool = False) -> Json:
        """All that is known of it."""
        container = self._projection.find(name)
        record = container.record
        sizes = (await self._sizes.of([record])).get(record.id) if size else None
        return inspect(record, self._places(record), sorted(container.execs), sizes, container.health)

    def _places(self, record: Record) -> Places:
        layout = self._parts.layout
        directory = layout.container(record.id)
        running = record.state.status in ("running", "paused")
        return Places(
            directory=directory,
            lowers=tuple(layout.layer(layer) for layer in reversed(record.layers)),
            log=log_path(record, directory),
            sandbox_key=f"/proc/{record.state.pid}/ns/net" if running else "",
            apparmor=self._apparmor(record.host_config) if record.state.started_at else "",
        )

    def _apparmor(self, host_config: HostConfig) -> str:
        if not self._parts.host.apparmor:
            return ""
        options = security.parse(host_config, self._parts.settings, self._parts.host)
        return security.apparmor_profile(options, host_config, self._parts.host)

    async def attach(self, name: str, query: AttachQuery, takeover: Takeover) -> None:
        """Give a client the container's streams."""
        await self._attaching.attach(self._projection.find(name), query, takeover)

    def logs(self, name: str, query: LogQuery) -> AsyncIterator[bytes]:
        """What it wrote, in blocks of frames (as it is from a terminal)."""
        return self._logs.read(self._projection.find(name), query)

    def stats(self, name: str, *, stream: bool = True, one_shot: bool = False) -> AsyncIterator[Json]:
        """What it uses, once or every second."""
        return self._stats.read(self._projection.find(name), stream=stream, one_shot=one_shot)

    async def changes(self, name: str) -> Rows | None:
        """What it changed in its root; None for nothing, as Docker prints it."""
        record = self._projection.find(name).record
        layout = self._parts.layout
        upper, lowers = layout.container(record.id) / "upper", [layout.layer(layer) for layer in record.layers]
        return await self._parts.offload.run(changes, upper, lowers) or None

    async def commit(self, name: str, wishes: Wishes) -> str:
        """The id of an image made of it."""
        return await self._committing.commit(self._projection.find(name), wishes)

    async def prune(self, filters: Filters) -> Json:
        """Remove all that are stopped."""
        wanted = listing.prunable(filters, time.time_ns())
        removed: Names = []
        space = 0
        for container in self._projection:
            if container.state.running or container.removal or not wanted(container.record):
                continue
            sizes = await self._sizes.of([container.record])
            try:
                await self._removing.remove(container)
            except (Conflict, NotFound):
                continue  # somebody started it since, or took it away: a prune leaves such containers alone
            removed.append(container.id)
            space += sizes.get(container.id, (0, 0))[0]
        self._parts.events.publish("container", "prune", "", {"reclaimed": str(space)})
        return {"ContainersDeleted": removed or None, "SpaceReclaimed": space}

    def find(self, name: str) -> Container:
        """The container itself, for other services of the engine."""
        return self._projection.find(name)

    async def settle(self) -> None:
        """Wait until what was removed is off the disk."""
        await self._removing.finished()


def _update(cgroup: ContainerCgroup, wanted: tuple[Write, ...]) -> None:
    """Change limits; what the kernel takes for invalid is the caller's value."""
    try:
        cgroup.update(wanted)
    except OSError as error:
        if error.errno == errno.EINVAL:
            raise InvalidParameter(of_host(error).message) from error
        raise
