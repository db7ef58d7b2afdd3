"""The daemon's side of the spawner: its program, and the waiting pairs that it has forked ahead."""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pier
from pier.kernel import fds
from pier.runtime import sync
from pier.spec.errors import SystemFailure

CONTAINER, EXEC = "container", "exec"
_SIZE = {CONTAINER: 4, EXEC: 2}
NONE_AHEAD = {CONTAINER: 0, EXEC: 0}
# A fork beside a running start would take its processor: the pool is filled a moment later.
_REFILL_AFTER = 0.02
_SPAWNER = """
import sys
sys.path.insert(0, {source!r})
from pier.runtime import preload
preload.run()
from pier.runtime.spawner import main
main()
"""
# The last argument of the spawner is room in which its children write their titles.
_TITLE_ROOM = "." * 100


class Pool:
    """Waiting pairs of both kinds; a spawner that has died is replaced when a pair is needed."""

    def __init__(self, cgroup_parent: str, ahead: Mapping[str, int] = _SIZE) -> None:
        self._sizes = ahead
        self._parents = {CONTAINER: cgroup_parent, EXEC: ""}
        self._ready: dict[str, deque[socket.socket]] = {CONTAINER: deque(), EXEC: deque()}
        self._waiting: dict[str, deque[asyncio.Future[socket.socket]]] = {CONTAINER: deque(), EXEC: deque()}
        self._coming = {CONTAINER: 0, EXEC: 0}
        self._channel: socket.socket | None = None
        self._program: subprocess.Popen[bytes] | None = None
        self._refill: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def spawner_pid(self) -> int:
        """The spawner's process number; 0 before its first start."""
        return self._program.pid if self._program else 0

    async def start(self) -> None:
        """Start the spawner and wait until it forks. Raises SystemFailure when it cannot."""
        first = await self.acquire(CONTAINER)
        self._ready[CONTAINER].append(first)

    async def acquire(self, kind: str) -> socket.socket:
        """A waiting pair's socket. Raises SystemFailure when the spawner cannot be started or dies."""
        if self._closed:
            raise SystemFailure("the runtime is closed")
        if self._channel is None:
            self._start_spawner()
        ready = self._ready[kind]
        if ready:
            if self._refill is None:
                self._refill = asyncio.get_running_loop().call_later(_REFILL_AFTER, self._fill)
            return ready.popleft()
        waiter: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._waiting[kind].append(waiter)
        self._fill()
        return await waiter

    async def close(self) -> None:
        """End the spawner and the waiting pairs; keepers that keep something live on."""
        self._closed = True
        if self._refill:
            self._refill.cancel()
        waiting = [connection for connections in self._ready.values() for connection in connections]
        channel, self._channel = self._channel, None
        if channel is not None:
            asyncio.get_running_loop().remove_reader(channel.fileno())
        await asyncio.to_thread(self._see_off, channel, waiting)

    def _see_off(self, channel: socket.socket | None, waiting: list[socket.socket]) -> None:
        """Wait until the spawner and the pairs, also those that are on their way, have put everything away."""
        if channel is not None:
            channel.setblocking(True)
            with channel, suppress(OSError):
                channel.shutdown(socket.SHUT_WR)
                while (found := fds.receive(channel, sync.LARGEST))[0]:
                    waiting += [socket.socket(fileno=descriptor) for descriptor in found[1]]
        for connection in waiting:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        for connection in waiting:
            connection.setblocking(True)
            with connection, suppress(OSError):
                connection.recv(1)
        if self._program:
            self._program.wait()

    def _fill(self) -> None:
        """Ask for as many pairs as are missing."""
        self._refill = None
        for kind, size in self._sizes.items():
            wanted = size + len(self._waiting[kind]) - len(self._ready[kind]) - self._coming[kind]
            for _ in range(wanted):
                if self._channel is not None:
                    self._coming[kind] += 1
                    fds.send(self._channel, f"{kind} {self._parents[kind]}".encode())

    def _start_spawner(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        source = str(Path(pier.__file__).parent.parent)
        arguments = [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", _SPAWNER.format(source=source)]
        arguments += ["enter", str(theirs.fileno()), _TITLE_ROOM]
        # The spawner gets nothing of the daemon's environment but the faults that a test asks for.
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        environment.update({name: value for name, value in os.environ.items() if name == "PIER_FAULTS"})
        try:
            self._reap()
            self._program = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=environment,
            )
        except OSError as error:
            ours.close()
            raise SystemFailure(f"starting the spawner: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._channel = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)

    def _reap(self) -> None:
        if self._program:
            self._program.kill()
            self._program.wait()

    def _readable(self) -> None:
        while self._channel is not None:
            try:
                message, descriptors = fds.receive(self._channel, sync.LARGEST)
            except BlockingIOError:
                return
            except OSError:
                message, descriptors = b"", []
            if not message:
                self._spawner_died()
                return
            self._arrived(message.split()[0].decode(), socket.socket(fileno=descriptors[0]))

    def _arrived(self, kind: str, connection: socket.socket) -> None:
        self._coming[kind] = max(0, self._coming[kind] - 1)
        waiting = self._waiting[kind]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._ready[kind].append(connection)

    def _spawner_died(self) -> None:
        """Running containers do not mind; the next start begins with a new spawner."""
        self._drop_channel()
        self._coming = {CONTAINER: 0, EXEC: 0}
        for waiting in self._waiting.values():
            while waiting:
                waiter = waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(SystemFailure("the spawner died"))

    def _drop_channel(self) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            self._channel = None
