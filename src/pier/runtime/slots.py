"""Slots: v1 control groups made and entered ahead of need, and renamed to the container's when it comes.

To make and to enter a group in a dozen trees takes its time, and where the kernel moves a process by `cgroup.procs` it
waits for a quiet point of every processor, some 12 ms. So a waiting creator sits in a v1 group of its own from the
beginning, and a start renames that group, which waits for nothing. v2 cannot rename, and needs no slot: see
`namespaces.clone_sharing`.
"""

import os

from pier.kernel import cgroup
from pier.kernel.cgroup import Layout

_PREFIX = "slot-"


def v1_only(layout: Layout) -> Layout:
    """The host's v1 trees."""
    return Layout(layout.v1, "", ())


def v2_only(layout: Layout) -> Layout:
    """The host's v2 tree."""
    return Layout({}, layout.unified, layout.unified_controllers)


def path(layout: Layout, parent: str, creator: int) -> str:
    """The slot of a creator below the group `parent`; "" where slots do not help."""
    return f"{parent}/{_PREFIX}{creator}" if layout.v1 and parent else ""


def prepare(layout: Layout, slot: str) -> None:
    """Make and enter a slot. Raises OSError."""
    trees = v1_only(layout)
    try:
        cgroup.make(trees, slot)
    except FileExistsError:
        cgroup.remove(trees, slot)
        cgroup.make(trees, slot)
    cgroup.enter(trees, slot)


def claim(layout: Layout, slot: str, group: str) -> bool:
    """Make the slot the container's group by renaming it; False when it lies elsewhere. Raises OSError."""
    if not slot or slot.rpartition("/")[0] != group.rpartition("/")[0]:
        return False
    for point in v1_only(layout).mount_points():
        try:
            os.rename(f"{point}{slot}", f"{point}{group}")
        except FileExistsError:
            os.rmdir(f"{point}{group}")  # left by a crash, and empty
            os.rename(f"{point}{slot}", f"{point}{group}")
    return True


def discard(layout: Layout, slot: str) -> None:
    """Remove a slot that was not needed, once its process has left."""
    if slot:
        try:
            cgroup.remove(v1_only(layout), slot)
        except OSError:
            pass  # swept at the next start


def sweep(layout: Layout, parent: str) -> None:
    """Remove the slots of creators that were killed; the kernel refuses it for those that are in use."""
    for point in v1_only(layout).mount_points():
        try:
            names = os.listdir(f"{point}{parent}")
        except OSError:
            continue
        for name in names:
            if name.startswith(_PREFIX):
                try:
                    os.rmdir(f"{point}{parent}/{name}")
                except OSError:
                    continue


def leave(layout: Layout, parent: str) -> None:
    """Remove the group that slots and containers were below, where nothing is below it any more."""
    for point in layout.mount_points():
        try:
            os.rmdir(f"{point}{parent}")
        except OSError:
            continue
