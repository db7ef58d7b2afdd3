"""Namespaces: unshare, setns, and a fork into new ones."""

import ctypes
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
CLONE_VM = 0x100
CLONE_VFORK = 0x4000
CLONE_PARENT = 0x8000
CLONE_PARENT_SETTID = 0x100000
CLONE_INTO_CGROUP = 0x200000000
_SIGCHLD = int(signal.SIGCHLD)
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
    fork(3) would not do: it asks the kernel to clear the thread's number at its end, and a creator ends while its
    child goes on in the same memory, where libc then takes a lock of its own for somebody else's and waits for ever.
    """
    return syscall("clone", flags | _SIGCHLD, 0, 0, 0, 0)


def clone_sharing(flags: int, cgroup: int = -1) -> tuple[int, int]:
    """Like vfork(2): a child that goes on in this very memory while the caller stands still; (0, the child's pid).

    Nothing is copied, so the child starts with warm memory. The price: the caller must never run again, for the child
    has used its stack. Its parent kills it before the child executes a program or ends (`runtime/keeper.py`).

    With `cgroup`, a v2 control group's directory, the child is born in that group. Moving a process there would wait
    for every processor of the host to pass a quiet point, some 12 ms; being born there waits for nothing.
    """
    flags |= CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_PARENT_SETTID
    number = ctypes.c_int(0)
    fields = [flags, 0, 0, ctypes.addressof(number), 0, 0, 0, 0, 0, 0, max(cgroup, 0)]
    if cgroup >= 0:
        fields[0] |= CLONE_INTO_CGROUP
    arguments = _CLONE_ARGS.pack(*fields)
    return syscall("clone3", arguments, _CLONE_ARGS.size), number.value


def link(process: int, name: str) -> str:
    """The identity of a process's namespace, such as "net:[4026531840]"."""
    return os.readlink(f"/proc/{process}/ns/{name}")
