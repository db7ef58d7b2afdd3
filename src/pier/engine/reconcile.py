"""The daemon's start: what the records say against what the kernel and the disk have; only differences are touched.

*Theory of operation*, in this order:

1. undo half-made creates and finish removals that were under way (their records may name files that are gone);
2. adopt living keepers, all at once: their containers run, whatever their record says;
3. let the network know who lives; it removes what belongs to nobody;
4. carry those that ended meanwhile over their end: the keeper's exit record has the code; without one the keeper was
   killed (137), or the host went down and took the runtime directory with it (255, as Docker says);
5. remove what no record names: directories, cgroups, what an earlier removal left in `tmp/`;
6. carry out AutoRemove and restart policies.

What goes wrong with one container keeps neither the others nor the daemon: it is logged and shown in that container's
state. A keeper that cannot be adopted counts as killed. A container that can neither be undone nor carried on is dead,
in memory only, so that the next start tries again.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from pier.engine.connecting import shown_lease
from pier.engine.container import Container
from pier.engine.containers import Containers
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import State, replaced
from pier.engine.removing import remove_tree
from pier.engine.restarts import restarts_with_daemon
from pier.runtime.launch import Keeper
from pier.runtime.state import Exit, read_exit
from pier.spec.errors import PierError

log = logging.getLogger("pier.engine")
HOST_WENT_DOWN = 255
KEEPER_DIED = 137


@dataclass
class Report:
    """What a reconciliation found. `unadopted` says why a keeper could not be reached."""

    adopted: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    unadopted: dict[str, str] = field(default_factory=dict)


class Reconcile:
    """Brings records, kernel and disk together, once, before the daemon answers."""

    def __init__(self, projection: Projection, parts: Parts, containers: Containers) -> None:
        self._projection = projection
        self._parts = parts
        self._containers = containers

    async def run(self) -> Report:
        """All of it; what went wrong with one container does not keep the others."""
        self._projection.load()
        report = Report()
        for container in self._projection:
            await self._guarded(container, self._undo_half_made(container, report))
        found = [container for container in self._projection if container.state.status != "dead"]
        keepers = await asyncio.gather(*(self._adopt(container, report) for container in found))
        alive = {container.id: keeper for container, keeper in zip(found, keepers, strict=True) if keeper is not None}
        await self._parts.offload.run(self._restore_holds, frozenset(alive))
        await asyncio.gather(*(self._guarded(each, self._carry_on(each, alive, report)) for each in found))
        dead = [container for container in self._projection if container.state.status == "dead"]
        await asyncio.gather(*(self._guarded(each, self._parts.offload.run(self._let_go, each.id)) for each in dead))
        await self._parts.offload.run(self._sweep, frozenset(container.id for container in self._projection))
        return report

    async def follow_policies(self) -> None:
        """Start what is to be started with the daemon; failures show in the container's state."""
        await asyncio.gather(*(self._follow_policy_guarded(container) for container in self._projection))

    async def _guarded(self, container: Container, work: Awaitable[None]) -> None:
        """Do one container's part; what goes wrong makes it dead, for as long as this daemon lives."""
        try:
            await work
        except Exception as error:
            log.error("container %s cannot be taken over: %s", container.id, _words(error), exc_info=_trace(error))
            container.keeper = None
            if container.state.status != "dead":
                state = replace(container.state, status="dead", pid=0, error=_words(error))
                container.record = replaced(container.record, state=state)

    async def _undo_half_made(self, container: Container, report: Report) -> None:
        if container.state.status == "dead":
            return
        lost = not self._parts.layout.container(container.id).exists()
        if not lost and not container.record.half_made and container.state.status != "removing":
            return
        await self._containers.volumes.remove_anonymous(container.record)
        await self._parts.offload.run(self._parts.remove_files, container.id)
        await self._projection.remove(container)
        report.undone.append(container.id)

    async def _adopt(self, container: Container, report: Report) -> Keeper | None:
        directory = self._parts.run_directory(container.id)
        if not os.path.lexists(directory):
            return None
        try:
            return await self._parts.launcher.adopt(directory)
        except Exception as error:
            log.error("container %s cannot be adopted: %s", container.id, _words(error), exc_info=_trace(error))
            report.unadopted[container.id] = f"the container's keeper cannot be reached: {_words(error)}"
            return None

    async def _carry_on(self, container: Container, alive: Mapping[str, Keeper], report: Report) -> None:
        keeper = alive.get(container.id)
        if keeper is None:
            await self._end(container, report)
            return
        self._resume(container, keeper)
        report.adopted.append(container.id)

    def _let_go(self, container_id: str) -> None:
        """In a thread: nothing of a dead container runs on unseen."""
        self._parts.empty_cgroup(container_id)
        shutil.rmtree(self._parts.run_directory(container_id), ignore_errors=True)

    def _restore_holds(self, alive: frozenset[str]) -> None:
        holders: dict[str, list[str]] = {}
        for container in self._projection:
            if container.id in alive:
                for mounted in container.record.mounts:
                    holders.setdefault(mounted.point.Name, []).append(container.id)
        self._parts.volumes.restore(holders)
        networks = self._parts.networks
        networks.restore({id_: lease for id_, lease in networks.stored().items() if id_ in alive})

    def _resume(self, container: Container, keeper: Keeper) -> None:
        record = container.record
        lease = self._parts.networks.lease(record.id)
        if lease is not None:
            record = shown_lease(record, lease)
        kept = record.state if record.state.status in ("running", "paused") else State()
        frozen = record.state.status == "paused"
        state = replace(
            kept, status="paused" if frozen else "running", pid=keeper.pid, started_at=keeper.started_at, error=""
        )
        container.record = replaced(record, state=state)
        container.keeper = keeper
        self._projection.save(container)
        self._containers.exits.watch(container, keeper)

    async def _end(self, container: Container, report: Report) -> None:
        exited = await self._parts.offload.run(self._exit_of, container)
        if (why := report.unadopted.get(container.id)) is not None:
            exited = Exit(code=KEEPER_DIED, oom=False, error=why, finished_at=0)
        if exited is None:
            return
        state = container.state
        if not state.running:
            container.record = replaced(container.record, state=replace(state, status="running"))
        async with container.lock:
            await self._containers.exits.end(container, exited)
        report.ended.append(container.id)

    def _exit_of(self, container: Container) -> Exit | None:
        """How a container without a keeper ended since the record was written; None when it did not run."""
        run_directory = self._parts.run_directory(container.id)
        exited = read_exit(self._parts.layout.container(container.id) / "exit.json")
        state = container.state
        if exited is not None and (state.running or exited.finished_at > state.finished_at):
            return exited
        if state.status == "restarting":
            return Exit(code=state.exit_code, oom=state.oom_killed, error=state.error, finished_at=state.finished_at)
        if not state.running:
            return None
        if os.path.lexists(run_directory):
            return Exit(code=KEEPER_DIED, oom=False, error="the container's keeper was killed", finished_at=0)
        return Exit(code=HOST_WENT_DOWN, oom=False, error="", finished_at=0)

    def _sweep(self, known: frozenset[str]) -> None:
        """In a thread: remove what no record names."""
        layout = self._parts.layout
        for name in os.listdir(layout.containers):
            if name not in known:
                remove_tree(layout.containers / name)
        run = self._parts.exec_root / "containers"
        for name in os.listdir(run) if run.exists() else ():
            if name not in known:
                self._parts.empty_cgroup(name)
                shutil.rmtree(run / name, ignore_errors=True)
        for name in os.listdir(layout.tmp):
            if name.startswith("removed-"):
                remove_tree(layout.tmp / name)

    async def _follow_policy_guarded(self, container: Container) -> None:
        try:
            await self._follow_policy(container)
        except Exception as error:
            log.error("policy of container %s: %s", container.name, _words(error), exc_info=_trace(error))

    async def _follow_policy(self, container: Container) -> None:
        state = container.state
        if state.running:
            return
        if container.record.host_config.AutoRemove and state.started_at:
            await self._containers.auto_remove(container)
            return
        if not state.started_at or not restarts_with_daemon(
            container.policy,
            was_running=False,
            exit_code=state.exit_code,
            stopped_by_user=state.stopped_by_user,
        ):
            return
        try:
            await self._containers.starting.start(container)
        except PierError:
            return  # the state says why, as after any failed start


def _words(error: Exception) -> str:
    if isinstance(error, PierError):
        return error.message
    return str(error) if isinstance(error, OSError) else f"internal error: {type(error).__name__}"


def _trace(error: Exception) -> Exception | None:
    """A defect's way through the code is worth logging; the host's refusal says all itself."""
    return None if isinstance(error, PierError) else error
