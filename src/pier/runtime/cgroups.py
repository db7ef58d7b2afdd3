"""The control group of one container: made with its limits, entered, frozen, killed, watched and removed; v1, v2 and
hybrid.

Plans come from `runtime.limits`; this file only acts. It is used between fork and exec too, so it imports nothing at
call time and nothing but `kernel`. A group has the same path in every tree; `"/pier/<id>"`.
"""

import errno
import os
import select
import time

from pier.kernel import cgroup, ebpf
from pier.kernel.cgroup import Layout

_SIGKILL = 9  # the signal module would bring enum into the spawner
# a member that is dying leaves the group some milliseconds after its parent has reaped it
_REMOVE_PATIENCE = 2.0
_KILL_PATIENCE = 10.0
_FREEZE_PATIENCE = 10.0
_PAUSE = 0.002

Write = tuple[str, tuple[tuple[str, str], ...], bool]


class ContainerCgroup:
    """One group, by its path below every tree's mount point."""

    __slots__ = ("layout", "path")

    def __init__(self, path: str, layout: Layout | None = None) -> None:
        if not path.startswith("/") or ".." in path.split("/") or not path.strip("/"):
            raise ValueError(f"invalid control group path {path!r}")
        self.path = path
        self.layout = layout or cgroup.detect()

    def create(self, writes: tuple[Write, ...] = (), device_program: bytes = b"") -> None:
        """Make the group and put its limits in force; nothing is left behind on failure.

        A leftover group of the same path is removed first when it is empty. Raises OSError naming the file.
        """
        try:
            cgroup.make(self.layout, self.path)
        except FileExistsError:
            self.remove()
            cgroup.make(self.layout, self.path)
        try:
            self.apply(writes)
            if device_program:
                self.set_device_program(device_program)
        except OSError:
            cgroup.remove(self.layout, self.path)
            raise

    def apply(self, writes: tuple[Write, ...]) -> None:
        """Write the limits, in order."""
        for controller, choices, required in writes:
            directory = self.layout.directory(controller, self.path)
            if not directory:
                if required:
                    raise OSError(errno.ENOENT, f"the {controller} controller is not available", choices[0][0])
                continue
            self._apply_one(directory, choices, required=required)

    def _apply_one(self, directory: str, choices: tuple[tuple[str, str], ...], *, required: bool) -> None:
        for file, value in choices:
            try:
                cgroup.write(f"{directory}/{file}", value)
                return
            except FileNotFoundError:
                continue
        if required:
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), f"{directory}/{choices[0][0]}")

    def update(self, writes: tuple[Write, ...]) -> None:
        """Change limits of a living group. Memory and memory+swap on v1 are ordered so that the kernel takes both."""
        memory = {choices[0][0]: choices[0][1] for controller, choices, _ in writes if controller == "memory"}
        limit, swap = memory.get("memory.limit_in_bytes"), memory.get("memory.memsw.limit_in_bytes")
        if limit is not None and swap is not None and self._swap_first(int(limit)):
            names = ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes")
            first = tuple(write for name in names for write in writes if write[1][0][0] == name)
            writes = first + tuple(write for write in writes if write[1][0][0] not in names)
        self.apply(writes)

    def _swap_first(self, limit: int) -> bool:
        directory = self.layout.directory("memory", self.path)
        current = int(cgroup.read(f"{directory}/memory.memsw.limit_in_bytes"))
        return limit < 0 or limit > current

    def set_device_program(self, program: bytes) -> None:
        """Put an eBPF device program in force (v2), instead of any before it."""
        directory = os.open(f"{self.layout.unified}{self.path}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            loaded = ebpf.load(program)
            try:
                ebpf.replace(directory, loaded)
            finally:
                os.close(loaded)
        finally:
            os.close(directory)

    def enter(self, pid: int = 0) -> None:
        """Move a process (0: the caller) into the group."""
        cgroup.enter(self.layout, self.path, pid)

    def exists(self) -> bool:
        """Whether any tree still has the group."""
        return any(os.path.isdir(f"{point}{self.path}") for point in self.layout.mount_points())

    def processes(self) -> list[int]:
        """Pids of all members, those of nested groups too."""
        return cgroup.processes(self.layout, self.path)

    def is_empty(self) -> bool:
        """Whether no process is left in it."""
        if self.layout.unified:
            try:
                return "populated 1" not in cgroup.read(f"{self.layout.unified}{self.path}/cgroup.events")
            except FileNotFoundError:
                pass
        return not self.processes()

    def kill(self) -> None:
        """SIGKILL every member, also those forked meanwhile, and wait until none is left.

        Raises TimeoutError when members stay (blocked in the kernel).
        """
        deadline = time.monotonic() + _KILL_PATIENCE
        while not self.is_empty():
            if not self._kill_at_once():
                for pid in self.processes():
                    _kill(pid)
                self._thaw_quietly()
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes of {self.path} survive SIGKILL")
            self._wait_for_change()

    def _kill_at_once(self) -> bool:
        """The v2 way, which no fork escapes; False where the kernel has none (before 5.14, or no v2 tree)."""
        if not self.layout.unified:
            return False
        try:
            cgroup.write(f"{self.layout.unified}{self.path}/cgroup.kill", "1")
            if "freezer" in self.layout.v1:
                self._thaw_quietly()
        except FileNotFoundError:
            return False
        return True

    def _wait_for_change(self) -> None:
        """Wait until the group's events change, or a moment."""
        try:
            events = os.open(f"{self.layout.unified}{self.path}/cgroup.events", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            time.sleep(_PAUSE)
            return
        try:
            os.read(events, 4096)
            poll = select.poll()
            poll.register(events, select.POLLPRI)
            if not self.is_empty():
                poll.poll(50)
        finally:
            os.close(events)

    def freeze(self) -> None:
        """Stop every member. Raises TimeoutError when one cannot be stopped; the group is thawed then."""
        if "freezer" in self.layout.v1:
            self._freeze_v1()
            return
        directory = f"{self.layout.unified}{self.path}"
        cgroup.write(f"{directory}/cgroup.freeze", "1")
        self._until_frozen(lambda: "frozen 1" in cgroup.read(f"{directory}/cgroup.events"))

    def _freeze_v1(self) -> None:
        state = f"{self.layout.directory('freezer', self.path)}/freezer.state"

        def frozen() -> bool:
            # FREEZING sticks when a member forks meanwhile: thaw and try again, as runc does
            cgroup.write(state, "FROZEN")
            return cgroup.read(state).strip() == "FROZEN"

        self._until_frozen(frozen)

    def _until_frozen(self, frozen: "Callable[[], bool]") -> None:
        deadline = time.monotonic() + _FREEZE_PATIENCE
        while not frozen():
            if time.monotonic() > deadline:
                self.thaw()
                raise TimeoutError(f"unable to freeze {self.path}")
            time.sleep(_PAUSE)

    def thaw(self) -> None:
        """Let the members run again."""
        if "freezer" in self.layout.v1:
            cgroup.write(f"{self.layout.directory('freezer', self.path)}/freezer.state", "THAWED")
        else:
            cgroup.write(f"{self.layout.unified}{self.path}/cgroup.freeze", "0")

    def _thaw_quietly(self) -> None:
        """A frozen v1 member takes its SIGKILL only when thawed."""
        try:
            self.thaw()
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENODEV):
                raise

    def frozen(self) -> bool:
        """Whether the members are stopped by `freeze`."""
        if "freezer" in self.layout.v1:
            state = cgroup.read(f"{self.layout.directory('freezer', self.path)}/freezer.state")
            return state.strip() != "THAWED"
        return cgroup.read(f"{self.layout.unified}{self.path}/cgroup.freeze").strip() == "1"

    def oom_count(self) -> int:
        """How many members the kernel has killed for want of memory in this group; 0 when it cannot tell."""
        directory = self.layout.directory("memory", self.path)
        file = "memory.oom_control" if "memory" in self.layout.v1 else "memory.events"
        try:
            lines = cgroup.read(f"{directory}/{file}").split("\n") if directory else []
        except OSError:
            return 0
        return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)

    def remove(self) -> None:
        """Remove the group everywhere; a no-op when it is gone. Raises OSError (EBUSY) when processes stay in it."""
        deadline = time.monotonic() + _REMOVE_PATIENCE
        while True:
            try:
                cgroup.remove(self.layout, self.path)
                return
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline or not self.is_empty():
                    raise
            time.sleep(_PAUSE)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, _SIGKILL)
    except ProcessLookupError:
        pass


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
