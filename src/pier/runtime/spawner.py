"""The spawner: a small single-threaded process from which every keeper and creator is forked, ahead of need.

*Theory of operation*: it is started by the daemon as `python -I -S`. The interpreter must never be reachable for
writing from a container, because `/proc/PID/exe` of our init is what runc's binary was in CVE-2019-5736. So the first
stage takes a read-only, detached copy of the host's tree, enters it by chroot and starts the interpreter again from
there: executable, libraries and modules are then mapped from mounts that nobody can make writable, since they belong to
no namespace. The second stage returns to the host's root with everything loaded, freezes the heap, and forks pairs.

    daemon ──{"want": kind, "parent": control group}──▶ spawner ──{"kind", "pid"} + socket──▶ daemon
"""

import gc
import os
import signal
import socket
import sys

from pier.kernel import faults, fds, namespaces, process
from pier.kernel import mount as m
from pier.runtime import create, keeper, slots, sync
from pier.runtime.plan import Host


def enter_read_only_tree(channel: int) -> None:
    """The first stage: start this program again from a read-only detached copy of the host's tree."""
    host = os.open("/", os.O_PATH | os.O_DIRECTORY)
    tree = m.open_tree(host, recursive=True)
    m.mount_setattr(tree, set_=m.MOUNT_ATTR_RDONLY, propagation=m.MS_PRIVATE, recursive=True)
    fds.mark_close_on_exec(3)
    os.set_inheritable(channel, True)
    os.set_inheritable(host, True)
    os.fchdir(tree)
    os.chroot(".")
    flags = [argument for argument in sys.orig_argv[1:] if argument not in sys.argv[1:]]
    os.execv(sys.executable, [sys.executable, *flags, "serve", str(channel), str(host), *sys.argv[3:]])  # noqa: S606


def serve(number: int, host_root: int) -> None:
    """The second stage: fork pairs as the daemon asks, until it is gone."""
    os.fchdir(host_root)
    os.chroot(".")
    os.chdir("/")
    os.close(host_root)
    channel = socket.socket(fileno=number)
    channel.set_inheritable(False)
    title = process.Title()
    title.set("pier-spawner")
    process.set_name("pier-spawner")
    process.set_dumpable(dumpable=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    facts = create.host()
    gc.disable()
    gc.freeze()
    while True:
        request, descriptors = sync.receive(channel)
        fds.close_all(descriptors)
        if request is None:
            return
        faults.point("spawner-fork")
        _fork_pair(channel, request, facts, title)


def _fork_pair(channel: socket.socket, request: sync.Message, facts: Host, title: process.Title) -> None:
    """Fork a keeper, which forks its creator, and send the daemon the keeper's socket."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        ours.close()
        channel.close()
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _become_keeper(theirs, request["parent"], facts, title)
    theirs.close()
    try:
        sync.send(channel, {"kind": request["want"], "pid": pid}, (ours.fileno(),))
    finally:
        ours.close()


def _become_keeper(connection: socket.socket, parent: str, facts: Host, title: process.Title) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    creator = namespaces.clone(0)
    if creator == 0:
        near.close()
        connection.close()
        title.set("pier-creator (waiting)")
        create.serve(far, facts, parent)
    far.close()
    title.set("pier-keeper (waiting)")
    slot = slots.path(facts.layout, parent, creator)
    keeper.serve(connection, near, creator, title, (facts.layout, slot))


def main() -> None:
    """Started by `runtime/launch.py`; the first argument says which stage, the next name descriptors."""
    if sys.argv[1] == "enter":
        enter_read_only_tree(int(sys.argv[2]))
    serve(int(sys.argv[2]), int(sys.argv[3]))
