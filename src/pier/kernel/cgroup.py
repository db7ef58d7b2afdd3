"""Where the host's control groups are (v1, v2 or both), and how their files are read and written; no policy.

*Theory of operation*: a v1 host mounts one tree per controller, a v2 host one for all, a hybrid host has v1 trees and
a v2 tree beside them that still kills, freezes and tells when a group is empty. `Layout` says which directory serves
which controller; a group has one path and one directory in every tree. Used between fork and exec: imports nothing at
call time.
"""

import errno
import os

_V1_CONTROLLERS = (
    "cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb", "net_cls", "net_prio",
    "perf_event", "rdma", "misc",
)  # fmt: skip
# what of v2 a container needs; enabled from the root down
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "hugetlb", "pids", "rdma", "misc")


class Layout:
    """The host's trees: `v1` maps a controller to its mount point, `unified` is the v2 mount point or empty."""

    __slots__ = ("unified", "unified_controllers", "v1")

    def __init__(self, v1: dict[str, str], unified: str, unified_controllers: tuple[str, ...]) -> None:
        self.v1 = v1
        self.unified = unified
        self.unified_controllers = unified_controllers

    @property
    def version(self) -> int:
        """1 when any controller that limits is on a v1 tree (hybrid hosts too), else 2."""
        return 1 if "memory" in self.v1 or "cpu" in self.v1 or not self.unified else 2

    def unified_has(self, controller: str) -> bool:
        """Whether the controller is on the v2 tree."""
        return controller in self.unified_controllers

    def mount_points(self) -> tuple[str, ...]:
        """Every tree once."""
        points = dict.fromkeys(self.v1.values())
        return (*points, self.unified) if self.unified else tuple(points)

    def directory(self, controller: str, path: str) -> str:
        """The group's directory for a controller; "" when no tree has it."""
        point = self.v1.get(controller) or (self.unified if self.unified_has(controller) else "")
        return f"{point}{path.rstrip('/')}" if point else ""


def detect(mountinfo: str = "/proc/self/mountinfo", *, controllers: str | None = None) -> Layout:
    """The layout of this host, from its mounts; `controllers` stands in for the v2 root's file in tests."""
    v1: dict[str, str] = {}
    unified = ""
    with open(mountinfo) as lines:
        for line in lines:
            fields, _, rest = line.partition(" - ")
            point = fields.split()[4]
            kind, _, options = rest.split(maxsplit=2)
            if kind == "cgroup2" and not unified:
                unified = point
            elif kind == "cgroup":
                for option in options.strip().split(","):
                    if option in _V1_CONTROLLERS or option.startswith("name="):
                        v1.setdefault(option, point)
    if unified and controllers is None:
        controllers = _controllers(unified)
    return Layout(v1, unified, tuple((controllers or "").split()))


def _controllers(unified: str) -> str:
    try:
        return read(f"{unified}/cgroup.controllers")
    except OSError:
        return ""


def features(layout: Layout) -> frozenset[str]:
    """What the host can limit, by name, as probed from the files of the root groups."""
    found = set()
    for controller in ("memory", "cpu", "cpuset", "pids", "hugetlb"):
        if layout.directory(controller, "/"):
            found.add(controller)
    if layout.unified:
        found.add("kill")
    if layout.version == 2:
        found |= {"memory.swap", "memory.reservation", "cpu.shares", "cpu.cfs"} if {"memory", "cpu"} <= found else set()
        found |= (
            {"devices", "freezer", "blkio.weight", "blkio.weight_device", "blkio.throttle"}
            if layout.unified_has("io")
            else set()
        )
        return frozenset(found | {"devices", "freezer"})
    for name, (controller, file) in _V1_FEATURES.items():
        if controller in layout.v1 and os.path.exists(f"{layout.v1[controller]}/{file}"):
            found.add(name)
    return frozenset(found)


_V1_FEATURES = {
    "devices": ("devices", "cgroup.procs"),
    "freezer": ("freezer", "cgroup.procs"),
    "memory.swap": ("memory", "memory.memsw.limit_in_bytes"),
    "memory.reservation": ("memory", "memory.soft_limit_in_bytes"),
    "memory.swappiness": ("memory", "memory.swappiness"),
    "memory.oom_control": ("memory", "memory.oom_control"),
    "memory.kernel_tcp": ("memory", "memory.kmem.tcp.limit_in_bytes"),
    "cpu.shares": ("cpu", "cpu.shares"),
    "cpu.cfs": ("cpu", "cpu.cfs_quota_us"),
    "cpu.realtime": ("cpu", "cpu.rt_runtime_us"),
    "blkio.weight": ("blkio", "blkio.weight"),
    "blkio.weight_device": ("blkio", "blkio.weight_device"),
    "blkio.throttle": ("blkio", "blkio.throttle.read_bps_device"),
}


def read(path: str) -> str:
    """A file's text. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while piece := os.read(descriptor, 65536):
            pieces.append(piece)
    finally:
        os.close(descriptor)
    return b"".join(pieces).decode()


def write(path: str, value: str) -> None:
    """Write one value in one write(2), again when a signal interrupts. Raises OSError with the path."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    except OSError as error:
        raise OSError(error.errno, os.strerror(error.errno or 0), path) from None
    finally:
        os.close(descriptor)


def make(layout: Layout, path: str) -> None:
    """Make the group in every tree, parents first, ready to be entered. Raises FileExistsError when it exists."""
    parts = path.strip("/").split("/")
    for point in layout.mount_points():
        directory = point
        for depth, part in enumerate(parts):
            if point == layout.unified:
                _enable(directory)
            parent, directory = directory, f"{directory}/{part}"
            _mkdir(directory, must_be_new=depth == len(parts) - 1)
            if point == layout.v1.get("cpuset"):
                _inherit_cpuset(parent, directory)


def _mkdir(directory: str, *, must_be_new: bool) -> None:
    try:
        os.mkdir(directory, 0o755)
    except FileExistsError:
        if must_be_new:
            raise


def _inherit_cpuset(parent: str, directory: str) -> None:
    """A new v1 cpuset is empty, and cannot be entered until it has processors and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not read(f"{directory}/{name}").strip():
            write(f"{directory}/{name}", read(f"{parent}/{name}").strip())


def _enable(directory: str) -> None:
    """Pass every controller that a container needs on to the children of a v2 group."""
    available = set(read(f"{directory}/cgroup.controllers").split())
    enabled = set(read(f"{directory}/cgroup.subtree_control").split())
    for controller in _V2_CONTROLLERS:
        if controller in available - enabled:
            try:
                write(f"{directory}/cgroup.subtree_control", f"+{controller}")
            except OSError as error:
                # busy: processes live in this group (a nested engine); the limit's own write reports what is missing
                if error.errno not in (errno.EBUSY, errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL):
                    raise


def enter(layout: Layout, path: str, pid: int = 0) -> None:
    """Move a process (0: this one, which has one thread) into the group, in every tree.

    A v1 tree's `tasks` takes the calling thread at once; for `cgroup.procs` the kernel holds up every fork and exit of
    the host, and waits for a quiet point of every processor first, some 12 ms.
    """
    for point in layout.mount_points():
        file = "tasks" if pid == 0 and point != layout.unified else "cgroup.procs"
        write(f"{point}{path}/{file}", str(pid))


def processes(layout: Layout, path: str) -> list[int]:
    """The processes of the group and of the groups below it, as one tree knows them; empty when the group is gone."""
    point = layout.unified or next(iter(layout.mount_points()))
    found: list[int] = []
    for directory, _, _ in os.walk(f"{point}{path}"):
        try:
            found += [int(line) for line in read(f"{directory}/cgroup.procs").split()]
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV, errno.EOPNOTSUPP):
                raise
    return found


def remove(layout: Layout, path: str) -> None:
    """Remove the group and those below it from every tree. Raises OSError (EBUSY) while processes are in it."""
    for point in layout.mount_points():
        directories = [directory for directory, _, _ in os.walk(f"{point}{path}")]
        for directory in reversed(directories):
            try:
                os.rmdir(directory)
            except FileNotFoundError:
                continue
