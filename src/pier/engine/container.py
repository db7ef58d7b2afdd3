"""A container in memory: its record, and what lives only as long as the daemon (keeper, locks, waiters, execs)."""

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pier.engine.record import Record, State
from pier.engine.restarts import Backoff, Policy

if TYPE_CHECKING:
    from pier.engine.health import Health
    from pier.engine.pending import Pending
    from pier.runtime.launch import Keeper

Condition = Literal["not-running", "next-exit", "removed"]


@dataclass(frozen=True)
class Outcome:
    """What a wait learns: the exit code, and a message when the container could not be waited for properly."""

    code: int
    error: str = ""


@dataclass(eq=False)
class Container:
    """One container. `lock` is held by whoever starts, ends, removes or mounts it; reads never take it.

    `root_lock` is held by whoever mounts its root or looks into it from outside; it is taken after `lock`.
    """

    record: Record
    keeper: "Keeper | None" = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    root_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiters: dict[Condition, list["asyncio.Future[Outcome]"]] = field(default_factory=dict)
    pending: "list[Pending]" = field(default_factory=list)
    execs: set[str] = field(default_factory=set)
    backoff: Backoff = field(default_factory=Backoff)
    restart: "asyncio.Task[None] | None" = None
    health: "Health | None" = None
    held_back: int = 0  # explicit restarts under way: AutoRemove and the restart policy wait for them
    removal: bool = False

    @property
    def id(self) -> str:
        """The full id."""
        return self.record.id

    @property
    def name(self) -> str:
        """The name without a slash."""
        return self.record.name

    @property
    def state(self) -> State:
        """The state at this moment."""
        return self.record.state

    @property
    def policy(self) -> Policy:
        """The restart policy."""
        wanted = self.record.host_config.RestartPolicy
        return Policy(wanted.Name, wanted.MaximumRetryCount)

    @property
    def health_status(self) -> str:
        """The word of its health; none without a check."""
        return self.health.status if self.health else "none"

    def attributes(self, **more: str) -> dict[str, str]:
        """The attributes of its events: labels, image and name, then what the event adds."""
        config = self.record.config
        return {**(config.Labels or {}), "image": config.Image, "name": self.name, **more}

    def wait_for(self, condition: Condition) -> "asyncio.Future[Outcome]":
        """A future of the outcome; done already where the condition holds now."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        if condition == "not-running" and not self.state.running:
            future.set_result(Outcome(self.state.exit_code))
        else:
            self.waiters.setdefault(condition, []).append(future)
            future.add_done_callback(lambda done: self._forget(condition, done))
        return future

    def _forget(self, condition: Condition, future: "asyncio.Future[Outcome]") -> None:
        """Keep nothing of one who gave up: containers live long, and many ask."""
        if future in (waiting := self.waiters.get(condition, [])):
            waiting.remove(future)

    def tell(self, condition: Condition, outcome: Outcome) -> None:
        """Answer those who wait for a condition."""
        for future in self.waiters.pop(condition, []):
            if not future.done():
                future.set_result(outcome)
