"""User and time namespaces of a container: maps, offsets, and the device nodes that such a container gets by bind.

*Theory of operation*: the first process is born in the new user namespace. The keeper, which still is the host's root,
writes the maps. Until `BecomeRoot` the process has every capability in the new namespace, but is still known to the
host's files as their owner, so that sources below root's own directories can be opened; they are opened in the new
mount namespace, where the kernel has locked the host's read-only and nosuid flags.
"""

import os

from pier.kernel import mount as m
from pier.kernel import namespaces, openat2
from pier.runtime.config import IdMapping, Linux, TimeOffset
from pier.runtime.isolation import become_root
from pier.runtime.steps import Failure, Stage, Step
from pier.runtime.sync import Message

_AT_FDCWD = -100
_CLOCKS = ("monotonic", "boottime")


def check(linux: Linux, *, new: bool, joined: bool) -> None:
    """Refuse maps without their namespace, and a new namespace without maps, as runc does. Raises Failure."""
    uids, gids = linux.get("uidMappings") or [], linux.get("gidMappings") or []
    if (uids or gids) and not (new or joined):
        raise Failure("User namespace mappings specified, but USER namespace isn't enabled in the config")
    if new and not uids:
        raise Failure("User namespaces enabled, but no uid mappings found")
    if new and not gids:
        raise Failure("User namespaces enabled, but no gid mappings found")


def map_text(mappings: list[IdMapping]) -> str:
    """The lines of /proc/PID/uid_map."""
    return "".join(f"{each['containerID']} {each['hostID']} {each['size']}\n" for each in mappings)


def write_maps(pid: int, message: Message) -> None:
    """Write the maps of a process that has come into a new user namespace, if the message has any. Raises OSError."""
    for name in ("gid_map", "uid_map"):
        if not message.get(name):
            continue
        try:
            descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, str(message[name]).encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise OSError(error.errno, f"write /proc/PID/{name}: {os.strerror(error.errno or 0).lower()}") from None


class BecomeRoot(Step):
    """Become the root of the user namespace."""

    def context(self) -> str:
        return "error becoming the user namespace's root"

    def apply(self, stage: Stage) -> None:
        become_root(stage)


class TimeNamespace(Step):
    """Enter a new time namespace whose clocks are set apart by `offsets` (clock, seconds, nanoseconds)."""

    offsets: tuple[tuple[str, int, int], ...]

    def context(self) -> str:
        return "error creating the time namespace"

    def apply(self, stage: Stage) -> None:
        stage.await_creator_end()  # the kernel lets nobody in who shares his memory
        namespaces.unshare(namespaces.CLONE_NEWTIME)
        if self.offsets:
            text = "".join(f"{clock} {seconds} {nanoseconds}\n" for clock, seconds, nanoseconds in self.offsets)
            descriptor = os.open("/proc/self/timens_offsets", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)
        descriptor = os.open("/proc/self/ns/time_for_children", os.O_RDONLY | os.O_CLOEXEC)
        namespaces.setns(descriptor, namespaces.CLONE_NEWTIME)
        os.close(descriptor)


def time_namespace(offsets: dict[str, TimeOffset]) -> TimeNamespace:
    """The step for the document's offsets. Raises Failure for a clock that has none."""
    for clock in offsets:
        if clock not in _CLOCKS:
            raise Failure(f"clock {clock!r} has no offset in a time namespace")
    return TimeNamespace(
        tuple((clock, each.get("secs", 0), each.get("nanosecs", 0)) for clock, each in sorted(offsets.items()))
    )


class DeviceSource(Step):
    """Take a copy of the host's device node, since nobody makes devices in a user namespace."""

    path: str

    def context(self) -> str:
        return f"error creating device nodes: open {self.path}"

    def apply(self, stage: Stage) -> None:
        stage.devices[self.path] = m.open_tree(_AT_FDCWD, self.path)


class BoundDevice(Step):
    """Attach the copy of the same path."""

    path: str

    def context(self) -> str:
        return f"error creating device nodes: bind {self.path}"

    def apply(self, stage: Stage) -> None:
        source = stage.devices.pop(self.path)
        target = openat2.make_file(stage.root, self.path)
        try:
            m.move_mount(source, target)
        finally:
            os.close(source)
            os.close(target)
