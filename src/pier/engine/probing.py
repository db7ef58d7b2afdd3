"""Asks containers for their health, one task each, for as long as they run."""

import asyncio
import time

from pier.engine.container import Container
from pier.engine.execs import Execs
from pier.engine.health import OUTPUT_LIMIT, TIMED_OUT, Check, Health, Result, after, check_of, wait_of
from pier.engine.parts import Parts
from pier.runtime.launch import Keeper
from pier.spec.errors import PierError


class Probing:
    """The health checks of all running containers."""

    def __init__(self, parts: Parts, execs: Execs) -> None:
        self._parts = parts
        self._execs = execs

    def begin(self, container: Container, keeper: Keeper) -> None:
        """Ask from now on, until the keeper is no more the container's."""
        check = check_of(container.record.config)
        container.health = Health() if check else None
        if check is not None:
            self._parts.spawn(self._watch(container, keeper, check))

    async def _watch(self, container: Container, keeper: Keeper, check: Check) -> None:
        started_at = keeper.started_at
        while container.keeper is keeper and container.health is not None:
            wait = wait_of(container.health, check, time.time_ns(), started_at)
            await asyncio.wait({asyncio.shield(keeper.exited())}, timeout=wait / 1e9)
            if container.keeper is not keeper or keeper.exited().done():
                return
            if container.state.status != "running":
                continue
            result = await self._ask(container, check)
            before, container.health = container.health, after(container.health, result, check, started_at)
            if before.status != container.health.status:
                self._parts.news.container(container, f"health_status: {container.health.status}")

    async def _ask(self, container: Container, check: Check) -> Result:
        start = time.time_ns()
        try:
            code, output = await self._execs.capture(container, check.command, check.timeout / 1e9, OUTPUT_LIMIT)
        except TimeoutError:
            code, output = TIMED_OUT, f"Health check exceeded timeout ({_words(check.timeout)})".encode()
        except (OSError, PierError) as error:
            code, output = TIMED_OUT, str(error).encode()
        return Result(start, time.time_ns(), code, output.decode(errors="replace"))


def _words(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    return f"{seconds:g}s" if seconds >= 1 else f"{seconds * 1000:g}ms"
