"""What the services of the engine are made of: the lower floors and the settings, gathered once by the daemon's
wiring.
"""

import asyncio
import os
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pier.engine.events import Events
from pier.engine.news import News
from pier.engine.oci.facts import Settings
from pier.engine.offload import Offload
from pier.engine.pending import Attachments
from pier.engine.record import Record
from pier.images.images import Images
from pier.network.networks import Networks
from pier.runtime.cgroups import ContainerCgroup
from pier.runtime.facts import HostFacts
from pier.runtime.launch import Launcher
from pier.store import trees
from pier.store.layout import Layout
from pier.store.records import Records
from pier.volumes.volumes import Volumes


@dataclass(kw_only=True)
class Parts:
    """The lower floors, and the settings, which alone are ever replaced (by a reload).

    `cgroup_parent` is the daemon's own part of the cgroup tree, `init_path` the host's tini or empty.
    `host_gateway` is what `--add-host name:host-gateway` means (empty: the bridge's gateway), `dns…` the daemon's
    defaults.
    """

    layout: Layout
    exec_root: Path
    cgroup_parent: str
    store: Records
    images: Images
    networks: Networks
    volumes: Volumes
    launcher: Launcher
    events: Events
    news: News
    offload: Offload
    attachments: Attachments
    host: HostFacts
    settings: Settings
    init_path: str = ""
    host_gateway: str = ""
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    tasks: "set[asyncio.Task[None]]" = field(default_factory=set)

    def run_directory(self, container_id: str) -> Path:
        """Where a container's keeper has its socket."""
        return self.exec_root / "containers" / container_id

    @cached_property
    def parent_cgroup(self) -> ContainerCgroup:
        """The daemon's own part of the tree."""
        return ContainerCgroup(self.cgroup_parent)

    def cgroup(self, container_id: str) -> ContainerCgroup:
        """The container's cgroup."""
        return ContainerCgroup(f"{self.cgroup_parent}/{container_id}", self.parent_cgroup.layout)

    def empty_cgroup(self, container_id: str) -> None:
        """In a thread: kill all that is left of a container, and take its cgroup away."""
        cgroup = self.cgroup(container_id)
        if cgroup.exists():
            cgroup.kill()
            cgroup.remove()

    def give_back(self, record: Record) -> None:
        """In a thread: give a container's place in the network and its hold on volumes back; twice is harmless."""
        if record.endpoints:
            self.networks.release(record.id)
        for mounted in record.mounts:
            if mounted.point.Type == "volume":
                self.volumes.release(mounted.point.Name, record.id)

    def remove_files(self, container_id: str) -> None:
        """In a thread: take a container's directory out of sight and empty it; none is no error."""
        grave = self.layout.tmp / f"removed-{container_id}"
        with suppress(FileNotFoundError):
            os.rename(self.layout.container(container_id), grave)
        trees.remove(grave)

    def spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Run something beside; it is kept until it ends, and cancelled by `close`."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task
