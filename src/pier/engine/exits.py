"""What happens when a container's program has ended: clean up, decide on a restart, tell those who wait.

*Theory of operation.* The keeper writes the exit record before it tells anybody, so nothing here can lose an exit
code. The order is Docker's: `die` is published, the network and the cgroup go, the state changes, and only then do
waiters learn of it, so that after a wait a port or a name is free. A container whose keeper died without a word ends
with 137.
"""

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable

from pier.engine import transitions
from pier.engine.container import Container, Outcome
from pier.engine.endpoints import disconnected
from pier.engine.hosts_files import HostsFiles
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.record import replaced
from pier.engine.restarts import restarts_after_exit
from pier.runtime.faults import point
from pier.runtime.launch import Keeper
from pier.runtime.state import Exit
from pier.spec.errors import PierError

log = logging.getLogger("pier.engine")
Later = Callable[[Container], Awaitable[None]]


class Exits:
    """Watches keepers and carries their containers over the end. `start_again`, `remove` and `probe` are set by the
    wiring.
    """

    def __init__(self, projection: Projection, parts: Parts) -> None:
        self._projection = projection
        self._parts = parts
        self.neighbours = HostsFiles(projection, parts)
        self.start_again: Later
        self.remove: Later
        self.probe: Callable[[Container, Keeper], None] = lambda _, __: None

    def watch(self, container: Container, keeper: Keeper) -> None:
        """Follow a keeper to its end, and tell of clients that detach."""
        self.probe(container, keeper)
        keeper.on_detach = lambda _, why: self._detached(container, why)
        self._parts.spawn(self._follow(container, keeper))

    def _detached(self, container: Container, why: str) -> None:
        if why == "keys":
            self._parts.news.container(container, "detach")

    async def _follow(self, container: Container, keeper: Keeper) -> None:
        exited = await asyncio.shield(keeper.exited())
        async with container.lock:
            if container.keeper is keeper:
                await self.end(container, exited)
        await self._afterwards(container)

    async def end(self, container: Container, exited: Exit) -> None:
        """Carry a container over its end. The caller holds the container's lock."""
        container.keeper = None
        if exited.oom:
            self._parts.news.container(container, "oom")
        self._parts.news.container(container, "die", exitCode=str(exited.code))
        await self._parts.offload.run(self._clean_up, container)
        point("exit-cleaned")
        self._tell_disconnected(container)
        self._change(container, exited)

    def _clean_up(self, container: Container) -> None:
        """In a thread: end what is left in the cgroup, give network and volumes back.

        What the host refuses stays for the next start: the program has ended all the same, and those who wait must
        learn of it.
        """
        steps: tuple[Callable[[], None], ...] = (
            lambda: self._parts.empty_cgroup(container.id),
            lambda: self._parts.give_back(container.record),
        )
        for step in steps:
            try:
                step()
            except (OSError, PierError) as error:
                log.error("cleaning up after container %s: %s", container.id, error)
        shutil.rmtree(self._parts.run_directory(container.id), ignore_errors=True)

    def _tell_disconnected(self, container: Container) -> None:
        record = container.record
        self._parts.news.networks(record, "disconnect")
        self._parts.news.unmounts(record)
        container.record = replaced(record, endpoints=disconnected(record.endpoints), ports={}, sandbox="")
        self.neighbours.changed(record)

    def _change(self, container: Container, exited: Exit) -> None:
        state = container.state
        again = not container.held_back and restarts_after_exit(
            container.policy,
            exit_code=exited.code,
            restart_count=state.restart_count,
            stopped_by_user=state.stopped_by_user,
        )
        step = transitions.restarting if again else transitions.ended
        at = exited.finished_at or time.time_ns()
        self._projection.change(container, step(state, exited.code, at, oom_killed=exited.oom, error=exited.error))
        outcome = Outcome(exited.code, exited.error)
        container.tell("next-exit", outcome)
        if again:
            wait = container.backoff.next(at - state.started_at)
            container.restart = self._parts.spawn(self._restart(container, wait))
        else:
            container.tell("not-running", outcome)

    async def _restart(self, container: Container, wait: int) -> None:
        await asyncio.sleep(wait / 1e9)
        container.restart = None
        await self.start_again(container)

    async def _afterwards(self, container: Container) -> None:
        if container.record.host_config.AutoRemove and not container.held_back and not container.state.running:
            await self.remove(container)

    def gave_up(self, container: Container) -> None:
        """A start by policy failed: the container stays ended."""
        container.tell("not-running", Outcome(container.state.exit_code, container.state.error))
        self._parts.spawn(self._afterwards(container))

    def call_off_restart(self, container: Container) -> None:
        """End the wait for a restart by policy: the container stays ended."""
        if container.restart is not None:
            container.restart.cancel()
            container.restart = None
        if container.state.status == "restarting":
            self._projection.change(container, transitions.restart_given_up(container.state))
            container.tell("not-running", Outcome(container.state.exit_code))
            self._parts.spawn(self._afterwards(container))
