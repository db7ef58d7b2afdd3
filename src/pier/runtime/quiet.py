"""The keeper of a container that nobody watches yet: it holds descriptors, in as little memory as can be.

*Theory of operation*: a keeper shares the spawner's memory, and each page in which it as much as counts a reference
is copied for it. So the start of a container without terminal and clients is made by its creator, which is gone
afterwards: it makes the pipes and the socket, opens the log, and hands the keeper's ends over. The keeper passes bytes
on without reading them, and then sleeps until the container writes or ends, or the daemon speaks; only then
does `runtime/keeper.py` begin. No call goes through ctypes here, none decodes JSON: each would cost 100 KB and more.
"""

import os
import select
import time
from typing import NamedTuple

from pier.kernel import faults, fds
from pier.kernel.fds import Socket
from pier.kernel.process import Title
from pier.runtime import endpoints, sync
from pier.runtime.logfile import LogFile
from pier.runtime.steps import Failure

# Where the id stands after `{"quiet":0,"id":"`.
_ID = len(sync.QUIET) + 8
_PROCESS = b'{"at":"process","pid":'
_STARTED = b'{"at":"started","pid":%d,"started_at":%d,"version":%d}'
_IN = select.EPOLLIN
_SIGKILL = 9


class Kept(NamedTuple):
    """What has come together when the keeper wakes; `heard` is what the creator says to a whole keeper only."""

    pid: int
    pidfd: int
    started_at: int
    filter: tuple[int, ...]
    endpoints: list[int]
    woken_by: list[int]
    heard: tuple[bytes, list[int]] | None


def keep(connection: Socket, channel: Socket, creator: int, packet: tuple[bytes, list[int]], title: Title) -> Kept:
    """Let the creator start the container, tell the daemon, and sleep until something happens. Raises OSError."""
    data, descriptors = packet
    title.set(b"pier-keeper " + data[_ID : data.index(b'"', _ID)])
    channel.sendmsg((data,), fds.rights(descriptors), fds.NOSIGNAL)
    filter_ = (descriptors.pop(1),) if data.startswith(sync.QUIET_FILTERED) else ()
    fds.close_all(descriptors)
    pid: int = creator
    ready = select.epoll()  # from the beginning: it tells in which order the container has written
    held: list[int] = []
    while True:
        data, descriptors = fds.receive(channel, sync.LARGEST)
        if not data:
            break
        if descriptors and not held:
            held = descriptors
            for descriptor in held[:3]:
                ready.register(descriptor, _IN)
        elif data.startswith(_PROCESS) and data[len(_PROCESS) : -1].isdigit():
            pid = int(data[len(_PROCESS) : -1])
            os.kill(creator, _SIGKILL)
            os.waitpid(creator, 0)
            channel.send(b"!")
        else:
            return Kept(pid, -1, 0, filter_, held, [], (data, descriptors))
    pidfd, started_at = os.pidfd_open(pid), time.time_ns()
    try:
        connection.sendmsg((_STARTED % (pid, started_at, sync.VERSION),), fds.rights((pidfd,)), fds.NOSIGNAL)
    except OSError:
        pass  # the daemon is gone: the container runs, and a new daemon finds it
    faults.point("keeper-serving")
    ready.register(connection.fileno(), _IN)
    ready.register(pidfd, _IN)
    ready.poll()
    return Kept(pid, pidfd, started_at, filter_, held, [descriptor for descriptor, _ in ready.poll()], None)


def prepare(channel: Socket, request: sync.Message, descriptors: list[int]) -> None:
    """The creator's part: send the keeper its ends, and add the container's to the request. Raises Failure."""
    try:
        _prepare(channel, request, descriptors)
    except OSError as error:
        raise Failure(f"error starting the keeper: {error}") from error


def _prepare(channel: Socket, request: sync.Message, descriptors: list[int]) -> None:
    ends: list[tuple[str, int]] = []
    ours = endpoints.pipes(request, ends)
    listener = endpoints.listen(request["directory"])
    os.chdir("/")
    if target := request.get("log"):
        LogFile(target["path"], target["max_size"], target["max_file"]).close()
    held = [listener.fileno(), *(ours[name] for name in sync.ENDPOINTS if name in ours)]
    fds.send(channel, b"prepared", held)
    listener.close()
    fds.close_all(held[1:])
    request["fds"] += [name for name, _ in ends]
    descriptors += [descriptor for _, descriptor in ends]
