"""The spawner: a small single-threaded process from which every keeper and creator is forked, ahead of need.

*Theory of operation*: it is started by the daemon as `python -I -S`. The interpreter must never be reachable for
writing from a container, because `/proc/PID/exe` of our init is what runc's binary was in CVE-2019-5736. So the first
stage takes a read-only, detached copy of the host's tree, enters it by chroot and starts the interpreter again from
there: executable, libraries and modules are then mapped from mounts that nobody can make writable, since they belong to
no namespace. The second stage returns to the host's root with everything loaded, freezes the heap, and forks pairs.

    daemon ──"kind control-group"──▶ spawner ──the same words + socket──▶ daemon
"""

import gc
import os
import signal
import sys

from pier.kernel import faults, fds, process
from pier.kernel import mount as m
from pier.kernel.fds import Socket
from pier.runtime import create, keeper, slots, sync, warm
from pier.runtime.namespace_plan import Host


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
    channel = Socket(fileno=number)
    os.set_inheritable(number, False)
    title = process.Title()
    process.set_name("pier-spawner")
    process.set_dumpable(dumpable=False)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    oom_score = process.sink_oom_score()
    facts = prepare(title)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        _fork_pairs(channel, facts, title, oom_score)
    except ConnectionError:
        return  # the daemon is gone, in the middle of a word


def prepare(title: process.Title) -> Host:
    """Warm up what the children will run; the host's facts."""
    facts = create.host()
    with faults.suspended():
        warm.run(facts, title)
    title.set("pier-spawner")
    return facts


def _fork_pairs(channel: Socket, facts: Host, title: process.Title, oom_score: str) -> None:
    """Fork keepers, which fork their creators, and send the daemon the keepers' sockets.

    What this loop writes in memory stays behind with each keeper, page by page: it is kept short, and runs few things.
    """
    receive, send, pair, fork = channel.recv, channel.sendmsg, fds.packet_pair, os.fork
    while request := receive(sync.LARGEST):
        faults.point("spawner-fork")
        ours, theirs = pair()
        near, far = pair()
        if not fork():
            ours.close()
            channel.close()
            creator = create.Creator(far, facts, request.partition(b" ")[2].decode(), oom_score)
            _become_keeper(theirs, near, creator, title)
        theirs.close()
        near.close()
        far.close()
        send((request,), fds.rights((ours.fileno(),)), fds.NOSIGNAL)
        ours.close()


def _become_keeper(connection: Socket, channel: Socket, creator: create.Creator, title: process.Title) -> None:
    """What the child does: a session of its own, no output of the daemon's, a creator, and then to wait."""
    os.dup2(0, 1)
    os.dup2(0, 2)
    os.setsid()
    process.default_child_signal()
    number = os.fork()
    if not number:
        channel.close()
        connection.close()
        title.set("pier-creator (waiting)")
        create.serve(creator)
    creator.channel.close()
    title.set("pier-keeper (waiting)")
    if not creator.parent and not fds.has_news(connection):
        warm.rehearse_keeping()
    slot = slots.path(creator.host.layout, creator.parent, number)
    keeper.serve(connection, channel, number, title, (creator.host.layout, slot))


def main() -> None:
    """Started by `runtime/launch.py`; the first argument says which stage, the next name descriptors."""
    if sys.argv[1] == "enter":
        enter_read_only_tree(int(sys.argv[2]))
    serve(int(sys.argv[2]), int(sys.argv[3]))
