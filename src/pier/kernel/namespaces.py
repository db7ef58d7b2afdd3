"""Namespaces: unshare, setns, and a fork into new ones."""

import os
import signal
import struct

from pier.kernel.libc import call, syscall

CLONE_NEWTIME = 0x80
CLONE_NEWNS = 0x20000
CLONE_NEWCGROUP = 0x2000000
CLONE_NEWUTS = 0x4000000
CLONE_NEWIPC = 0x8000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
CLONE_PARENT = 0x8000
CLONE_INTO_CGROUP = 0x200000000
_CLONE_ARGS = struct.Struct("=11Q")


def unshare(flags: int) -> None:
    """Move this process into new namespaces (for PID and time: its children)."""
    call("unshare", flags)


def setns(descriptor: int, flags: int = 0) -> None:
    """Join a namespace by its file, or several of a process at once by its pidfd (`flags` names them)."""
    call("setns", descriptor, flags)


def clone(flags: int) -> int:
    """Fork with clone(2)'s flags; 0 in the child. Only for a process with one thread.

    The interpreter's own hooks after a fork are not run: they reset locks and threads, and here there are none.
    """
    return syscall("clone", flags | signal.SIGCHLD, 0, 0, 0, 0)


def clone_into(flags: int, cgroup: int) -> int:
    """`clone` with a child that begins its life in the v2 control group behind a directory's descriptor.

    Moving a process into a group waits for every processor of the host to pass a quiet point, some 12 ms; being born
    there waits for nothing. `flags` must hold CLONE_PARENT, with which the signal at the end is the caller's own.
    """
    arguments = _CLONE_ARGS.pack(flags | CLONE_INTO_CGROUP, 0, 0, 0, 0, 0, 0, 0, 0, 0, cgroup)
    return syscall("clone3", arguments, _CLONE_ARGS.size)


def link(process: int, name: str) -> str:
    """The identity of a process's namespace, such as "net:[4026531840]"."""
    return os.readlink(f"/proc/{process}/ns/{name}")
