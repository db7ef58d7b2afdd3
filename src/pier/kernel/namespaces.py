"""Namespaces: unshare, setns, and a fork into new ones."""

import os
import signal

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


def link(process: int, name: str) -> str:
    """The identity of a process's namespace, such as "net:[4026531840]"."""
    return os.readlink(f"/proc/{process}/ns/{name}")
