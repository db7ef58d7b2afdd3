"""The engine: the services that the API speaks to, put together by the daemon's wiring."""

from contextlib import suppress
from dataclasses import dataclass

from pier.engine.containers import Containers
from pier.engine.events import Events
from pier.engine.execs import Execs
from pier.engine.images import Images
from pier.engine.networks import Networks
from pier.engine.parts import Parts
from pier.engine.probing import Probing
from pier.engine.projection import Projection
from pier.engine.reconcile import Reconcile
from pier.engine.system import System
from pier.engine.volumes import Volumes


@dataclass(frozen=True, kw_only=True)
class Engine:
    """One machine's engine. Start it with `reconcile.run`, then `reconcile.follow_policies`."""

    containers: Containers
    execs: Execs
    images: Images
    volumes: Volumes
    networks: Networks
    events: Events
    system: System
    parts: Parts
    projection: Projection
    reconcile: Reconcile

    def __post_init__(self) -> None:
        self.containers.exits.probe = Probing(self.parts, self.execs).begin

    async def close(self) -> None:
        """Let go of everything; containers and their keepers go on."""
        for task in list(self.parts.tasks):
            task.cancel()
        await self.containers.settle()
        self.parts.attachments.close()
        await self.parts.launcher.close()
        self.parts.offload.close()
        with suppress(OSError):  # it stays while containers live in it
            self.parts.parent_cgroup.remove()
