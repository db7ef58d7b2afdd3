"""The steps that set a process apart: control group, namespaces, host name, kernel parameters."""

import errno
import fcntl
import os
import signal
import socket
import struct

from pier.kernel import cgroup, namespaces, openat2
from pier.kernel import mount as m
from pier.kernel.cgroup import Layout
from pier.kernel.libc import call
from pier.kernel.process import set_parent_death_signal
from pier.runtime import slots, sync
from pier.runtime.cgroups import ContainerCgroup, Write
from pier.runtime.steps import Failure, Stage, Step

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1


class CreateCgroup(Step):
    """Make the container's group, set its limits, and move into it."""

    path: str
    layout: Layout
    writes: tuple[Write, ...]
    device_program: bytes

    def context(self) -> str:
        return "unable to apply cgroup configuration"

    def apply(self, stage: Stage) -> None:
        group = ContainerCgroup(self.path, self.layout)
        if stage.slot and slots.claim(self.layout, stage.slot, self.path):
            stage.slot = ""
            self._make_unified()
            group.apply(self.writes)
            if self.device_program:
                group.set_device_program(self.device_program)
            return
        group.create(self.writes, self.device_program)
        cgroup.enter(slots.v1_only(self.layout), self.path)

    def _make_unified(self) -> None:
        if self.layout.unified:
            tree = slots.v2_only(self.layout)
            try:
                cgroup.make(tree, self.path)
            except FileExistsError:
                cgroup.remove(tree, self.path)
                cgroup.make(tree, self.path)


class EnterCgroup(Step):
    """Move into the v1 groups of a running container; the v2 group is entered by `Fork`."""

    path: str
    layout: Layout

    def context(self) -> str:
        return "error adding process to cgroups"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        cgroup.enter(slots.v1_only(self.layout), self.path)


class EnterUnified(Step):
    """Move into the v2 group by hand: who has joined a user namespace may not be born there."""

    path: str
    layout: Layout

    def context(self) -> str:
        return "unable to apply cgroup configuration"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        cgroup.enter(slots.v2_only(self.layout), self.path)


class WriteSelf(Step):
    """Write a file of this process in the host's procfs; programs that it becomes keep the value."""

    name: str
    value: str
    what: str

    def context(self) -> str:
        return self.what

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        descriptor = os.open(f"/proc/self/{self.name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, self.value.encode())
        finally:
            os.close(descriptor)


class JoinNetwork(Step):
    """Enter the network namespace whose descriptor came with the request."""

    def context(self) -> str:
        return "error joining network namespace"

    def apply(self, stage: Stage) -> None:
        namespaces.setns(stage.netns, namespaces.CLONE_NEWNET)
        os.close(stage.netns)


class JoinNamespace(Step):
    """Enter a namespace by its file."""

    path: str
    flag: int

    def context(self) -> str:
        return f"error joining namespace {self.path}"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            namespaces.setns(descriptor, self.flag)
        finally:
            os.close(descriptor)


class NewNamespaces(Step):
    """Enter new namespaces."""

    flags: int

    def context(self) -> str:
        return "error creating new namespaces"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        namespaces.unshare(self.flags)
        if self.flags & namespaces.CLONE_NEWNET:
            _loopback_up()


class Fork(Step):
    """Go on as a child of the keeper, in the container's PID namespace and its v2 control group (`group`, or "").

    The keeper answers when the creator, in whose memory the child goes on, is dead: see `await_creator_end`.
    """

    flags: int
    group: str
    uid_map: str = ""
    gid_map: str = ""

    def context(self) -> str:
        return "error starting the container's first process"

    def apply(self, stage: Stage) -> None:
        directory = os.open(self.group, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC) if self.group else -1
        _, process = namespaces.clone_sharing(self.flags, directory)
        # Here runs only the child: the creator stands still for ever.
        set_parent_death_signal(signal.SIGKILL)
        told: sync.Message = {"at": "process", "pid": process}
        if self.uid_map:
            told.update(uid_map=self.uid_map, gid_map=self.gid_map)
        sync.send(stage.channel, told)
        stage.forked = True
        if directory >= 0:
            os.close(directory)
        if self.uid_map:
            stage.await_creator_end()  # the keeper has written the maps then


class JoinPids(Step):
    """Let children be born in the PID namespace of the container whose init is behind the pidfd."""

    def context(self) -> str:
        return "error joining the container's pid namespace"

    def apply(self, stage: Stage) -> None:
        try:
            namespaces.setns(stage.pidfd, namespaces.CLONE_NEWPID)
        except ProcessLookupError:
            raise Failure("cannot exec in a stopped container") from None


class JoinContainer(Step):
    """Enter the namespaces of the container whose init is behind the pidfd."""

    flags: int

    def context(self) -> str:
        return "error joining the container's namespaces"

    def apply(self, stage: Stage) -> None:
        if self.flags & namespaces.CLONE_NEWTIME:
            stage.await_creator_end()  # the kernel lets nobody in who shares his memory
        try:
            namespaces.setns(stage.pidfd, self.flags | namespaces.CLONE_NEWUSER)
        except ProcessLookupError:
            raise Failure("cannot exec in a stopped container") from None
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            namespaces.setns(stage.pidfd, self.flags)  # nobody may enter the user namespace that he is in
        else:
            become_root(stage)
        os.close(stage.pidfd)


def become_root(stage: Stage) -> None:
    """Become the root of the user namespace just entered, with the capabilities that entering gave."""
    stage.groups_denied = _denies_groups()
    if not stage.groups_denied:
        os.setgroups(())
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    set_parent_death_signal(signal.SIGKILL)  # a change of credentials has forgotten it


def _denies_groups() -> bool:
    """Whether this user namespace was made by an unprivileged user, whose groups cannot be changed in it."""
    try:
        return cgroup.read("/proc/self/setgroups").strip() == "deny"
    except OSError:
        return False


class SlaveMounts(Step):
    """Let the host's later mounts in until pivot_root, and none of ours out."""

    def context(self) -> str:
        return "error preparing rootfs"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        m.mount(None, "/", None, m.MS_REC | m.MS_SLAVE)


class Hostname(Step):
    """Set the host name."""

    name: str

    def context(self) -> str:
        return "sethostname"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        socket.sethostname(self.name)


class Domainname(Step):
    """Set the NIS domain name."""

    name: str

    def context(self) -> str:
        return "setdomainname"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        name = self.name.encode()
        call("setdomainname", name, len(name))


class Sysctl(Step):
    """Write one kernel parameter of the new namespaces, through the container's procfs and nothing mounted on it."""

    key: str
    value: str

    def path(self) -> str:
        return "sys/" + self.key.replace(".", "/")

    def context(self) -> str:
        return f"open /proc/{self.path()}"

    def apply(self, stage: Stage) -> None:
        if stage.procfs < 0:
            stage.procfs = m.mounted("proc", ())
        resolve = openat2.RESOLVE_BENEATH | openat2.RESOLVE_NO_XDEV | openat2.RESOLVE_NO_SYMLINKS
        descriptor = openat2.openat2(stage.procfs, self.path(), os.O_WRONLY, resolve=resolve)
        try:
            os.write(descriptor, self.value.encode())
        finally:
            os.close(descriptor)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
