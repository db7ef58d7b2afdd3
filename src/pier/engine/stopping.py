"""Ways to end or hold a container: kill, stop, pause, unpause. Each returns when what it promises is so."""

import asyncio

from msgspec.structs import replace

from pier.engine import transitions
from pier.engine.container import Container, Outcome
from pier.engine.exits import Exits
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.signals import KILL, parse_signal, stop_signal
from pier.runtime.faults import point
from pier.spec.errors import Conflict, NotModified, PierError, SystemFailure

# How long a killed container may take to be gone: the kernel may have to write out its memory first.
_PATIENCE = 10.0


class Stopping:
    """Ends, freezes and thaws containers."""

    def __init__(self, projection: Projection, parts: Parts, exits: Exits) -> None:
        self._projection = projection
        self._parts = parts
        self._exits = exits

    async def kill(self, container: Container, signal: str) -> None:
        """Send a signal (KILL where none is named); `Conflict` when the container is not running."""
        number = parse_signal(signal) if signal else KILL
        if not container.state.running:
            raise Conflict(f"Cannot kill container: {container.name}: Container {container.id} is not running")
        await self._send(container, number)
        if number == KILL:
            await self._gone(container, _PATIENCE)

    async def stop(self, container: Container, timeout: int | None, signal: str) -> None:
        """The stop signal, then after `timeout` s KILL; below 0 waits for ever. `NotModified` when it is not
        running.
        """
        number = parse_signal(signal) if signal else stop_signal(container.record.config.StopSignal)
        if not container.state.running:
            raise NotModified(f"container {container.id} is already stopped")
        await self.end(container, timeout, number)

    async def end(self, container: Container, timeout: int | None, number: int | None = None) -> None:
        """Stop a container that may have ended meanwhile, and tell of it."""
        config = container.record.config
        if timeout is None:
            timeout = self._parts.settings.stop_timeout if config.StopTimeout is None else config.StopTimeout
        gone = container.wait_for("not-running")
        await self._send(container, number or stop_signal(config.StopSignal), stops=True)
        point("stop-signalled")
        if not await _within(gone, timeout if timeout >= 0 else None):
            await self.force(container)
        await gone
        self._parts.news.container(container, "stop")

    async def force(self, container: Container) -> None:
        """KILL, and not return before the container is gone; `SystemFailure` when the kernel does not let go of it."""
        if container.state.running:
            await self._send(container, KILL)
            await self._gone(container, _PATIENCE)

    async def _gone(self, container: Container, patience: float) -> None:
        if await _within(container.wait_for("not-running"), patience):
            return
        await self._parts.offload.run(self._parts.empty_cgroup, container.id)
        if not await _within(container.wait_for("not-running"), patience):
            raise SystemFailure(f"container {container.name} PID {container.state.pid} is zombie and can not be killed")

    async def _send(self, container: Container, number: int, *, stops: bool = False) -> None:
        """Signal the program as Docker does: one that asks it to end also ends the restart policy and thaws it."""
        wanted = container.record.config.StopSignal
        ends = stops or number == KILL or not wanted or number == stop_signal(wanted)
        if ends and not container.state.stopped_by_user:
            self._projection.change(container, replace(container.state, stopped_by_user=True))
        if container.state.status == "restarting":
            if ends:
                self._exits.call_off_restart(container)
            return
        keeper = container.keeper
        if keeper is None:
            return
        try:
            await keeper.signal(number)
        except Conflict:  # it ended in this very moment, which is what a stop wants
            if ends:
                return
            raise Conflict(
                f"Cannot kill container: {container.name}: Container {container.id} is not running"
            ) from None
        self._parts.news.container(container, "kill", signal=str(number))
        if ends and container.state.status == "paused":
            await self._thaw(container)

    async def pause(self, container: Container) -> None:
        """Freeze a running container."""
        async with container.lock:
            status = container.state.status
            if status == "paused":
                raise Conflict(f"Container {container.id} is already paused")
            if status == "restarting":
                raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
            if status != "running":
                raise Conflict(f"Container {container.id} is not running")
            await self._freeze(container)
            self._projection.change(container, transitions.paused(container.state))
            self._parts.news.container(container, "pause")

    async def _freeze(self, container: Container) -> None:
        cgroup = self._parts.cgroup(container.id)
        try:
            await self._parts.offload.run(cgroup.freeze)
        except PierError:
            if not cgroup.exists():  # it ended in this very moment
                raise Conflict(f"Container {container.id} is not running") from None
            raise

    async def unpause(self, container: Container) -> None:
        """Let a paused container go on."""
        async with container.lock:
            if container.state.status != "paused":
                raise Conflict(f"Container {container.id} is not paused")
            await self._thaw(container)

    async def _thaw(self, container: Container) -> None:
        await self._parts.offload.run(self._parts.cgroup(container.id).thaw)
        if container.state.status == "paused":
            self._projection.change(container, transitions.unpaused(container.state))
            self._parts.news.container(container, "unpause")


async def _within(future: "asyncio.Future[Outcome]", seconds: float | None) -> bool:
    """Whether the future is done in time; it is left alone when it is not."""
    done, _ = await asyncio.wait({future}, timeout=seconds)
    return bool(done)
