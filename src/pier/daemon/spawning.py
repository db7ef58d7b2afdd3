"""The first thing a daemon begins: its spawner's program, which loads while the daemon itself does. And the names that
both must agree on.
"""

import asyncio
import hashlib
import os
from pathlib import Path

from pier.daemon.settings import DEFAULT_DATA_ROOT, Settings
from pier.runtime.launch import Launcher
from pier.store.layout import Layout


def begin(settings: Settings, layout: Layout) -> "asyncio.Task[Launcher]":
    """Start the runtime beside; who awaits the task has it ready."""
    instance = instance_of(layout.root)
    starting = Launcher.start(exec_root=settings.exec_root, instance=instance, cgroup_parent=cgroup_parent(layout.root))
    return asyncio.ensure_future(starting)


def instance_of(data_root: Path) -> str:
    """The name of a data root's kernel objects: eight hexadecimal digits."""
    return hashlib.sha256(os.path.realpath(data_root).encode(errors="surrogateescape")).hexdigest()[:8]


def is_default(data_root: Path) -> bool:
    """Whether this is the host's own daemon, whose kernel objects have short names."""
    return os.path.realpath(data_root) == str(DEFAULT_DATA_ROOT)


def cgroup_parent(data_root: Path) -> str:
    """The daemon's own part of the cgroup tree."""
    return "/pier" if is_default(data_root) else f"/pier-{instance_of(data_root)}"
