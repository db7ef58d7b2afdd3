"""Runs the ways of a keeper and a creator in the spawner, before the first fork.

The interpreter rewrites code as it warms up and fills its caches, and each page that a child writes is a page fault at
the start and memory for the container's whole life. What is warm before the fork stays shared.
"""

import os
import signal
import socket

from pier.kernel import fds
from pier.kernel.process import Title
from pier.runtime import quiet, sync
from pier.runtime.config import Config
from pier.runtime.logfile import LogFile
from pier.runtime.loop import Loop
from pier.runtime.namespace_plan import Given, Host
from pier.runtime.plan import plan, plan_exec
from pier.runtime.streams import Streams

_ROUNDS = 40
_FORKS = 16
_CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"]
SAMPLE: Config = {
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["true"],
        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"],
        "cwd": "/home",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES),  # type: ignore[typeddict-item]
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}],
        "oomScoreAdj": 0,
    },
    "root": {"path": "/"},
    "hostname": "warm",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro", "nosuid"]},
        {"destination": "/etc/hosts", "type": "bind", "source": "/etc/hosts", "options": ["rbind", "rprivate"]},
    ],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc")],
        "maskedPaths": ["/proc/kcore"],
        "readonlyPaths": ["/proc/sys"],
        "sysctl": {"net.ipv4.ip_unprivileged_port_start": "0"},
    },
}


def run(host: Host, title: Title) -> None:
    """Warm up; about 60 ms. Children must not be ignored yet."""
    for _ in range(_FORKS):
        _quiet(title)
    for _ in range(_ROUNDS):
        _conversation()
        _streams()
        _plan(host)
        _plan_exec(host)


def rehearse(host: Host, *, container: bool) -> None:
    """What a waiting creator does: write the pages that it will write at the start, so that they are copied now."""
    _conversation()
    if container:
        _plan(host)
    else:
        _plan_exec(host)


def rehearse_keeping() -> None:
    """What a waiting keeper of an exec does, whose life is short: it has clients from the beginning."""
    _conversation()
    _streams()


def _conversation() -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    descriptor = sync.pack_inputs({"directory": "/", "writes": []}, b'{"process":{"args":["true"]}}')
    try:
        sync.send(near, {"do": "launch", "fds": ["inputs"], "tty": False, "size": None}, (descriptor,))
        _, received = sync.receive(far)
        sync.unpack_inputs(received[0])
        fds.close_all(received)
        sync.send(far, {"at": "started", "pid": 1})
        sync.receive(near)
    finally:
        os.close(descriptor)
        near.close()
        far.close()


def _quiet(title: Title) -> None:
    daemon, connection = fds.packet_pair()
    near, far = fds.packet_pair()
    creator = os.fork()
    if not creator:
        while True:
            signal.pause()
    out, into = os.pipe2(os.O_CLOEXEC)
    fds.send(far, b"prepared", (out, out, out))
    fds.send(far, b'{"at":"process","pid":%d}' % os.getpid())
    os.set_blocking(far.fileno(), False)
    fds.close_all((out, into))
    copies = [os.dup(daemon.fileno()), os.dup(daemon.fileno())]
    far.shutdown(socket.SHUT_WR)
    kept = quiet.keep(connection, near, creator, (b'{"quiet":1,"id":"0123456789abcdef"}', copies), title)
    fds.close_all([*kept.endpoints, *kept.filter, kept.pidfd])
    for end in (daemon, connection, near, far):
        end.close()


def _streams() -> None:
    loop = Loop()
    streams = Streams(loop, LogFile("/dev/null", 0, 1), tty=False, stdin_once=True)
    near, far = socket.socketpair()
    out, into = os.pipe2(os.O_CLOEXEC)
    input_, pipe = os.pipe2(os.O_CLOEXEC)
    streams.open_input(pipe)
    streams.open_output(out, b"stdout")
    wants: dict[str, object] = {"stdin": True, "stdout": True, "stderr": True, "framed": True, "detach_keys": "1011"}
    streams.attach(far.detach(), wants)
    os.write(into, b"warm\n")
    near.send(b"up\n")
    loop.turn(0)
    loop.turn(0)
    near.shutdown(socket.SHUT_WR)
    loop.turn(0)
    streams.drain()
    streams.close_idle()
    near.close()
    fds.close_all((into, input_))


def _given() -> Given:
    facts: sync.Facts = {
        "lowers": ["/"],
        "upper": "/",
        "work": "/",
        "directory": "/",
        "writes": [],
        "device_program": "",
    }
    return Given(facts, "/warm", netns=True, seccomp=True, tied=True)


def _plan(host: Host) -> None:
    plan(SAMPLE, _given(), host)


def _plan_exec(host: Host) -> None:
    plan_exec(SAMPLE["process"], _given(), host)
