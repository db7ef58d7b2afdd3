"""A container's streams on the user's: one loop over stdin, the connection and signals, until the output ends.

Theory of operation: the connection is not blocking for writes, so that a container that fills its output while its
input is full cannot stop us; stdin is read only while little is waiting to be sent. When stdin ends, what waits is
sent and our side of the connection is closed for writing; the container's output goes on. stdout is written
blocking: a slow reader slows the container down, as it would in a pipe.
"""

from __future__ import annotations

import os
import select

from pier.cli import signals
from pier.cli.terminal import KeyWatcher
from pier.client.frames import STDERR, SYSTEM_ERROR, Demultiplexer
from pier.spec.errors import PierError, SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pier.client.client import Taken
    from pier.client.http import Response

SHUT_WR = 1
PIECE = 32768
WAITING = 1 << 17


class Detached(Exception):
    """The user typed the keys that detach."""


class Stream:
    """The two directions of a connection that was taken over. `stdin` says whether our input is sent."""

    def __init__(
        self,
        taken: Taken,
        *,
        stdin: bool,
        tty: bool,
        output: bool = True,
        keys: bytes = b"",
        on_signal: Callable[[int], None] | None = None,
        caught: signals.Caught | None = None,
        descriptors: tuple[int, int, int] = (0, 1, 2),
    ) -> None:
        self.input, self.stdout, self.stderr = descriptors
        self.socket = taken.socket
        self.output = output
        self.demultiplexer = None if tty else Demultiplexer()
        self.watcher = KeyWatcher(keys)
        self.on_signal = on_signal
        self.caught = caught
        self.reading = stdin
        self.half_closed = not stdin
        self.pending = bytearray()
        self._early = taken.early

    def run(self) -> None:
        """Copy until the connection's other side has ended its output; raises Detached."""
        self.socket.setblocking(False)
        if self._early:
            self._show(self._early)
        try:
            while self._step():
                pass
        finally:
            self.socket.close()

    def _step(self) -> bool:
        poll = select.poll()
        wanted = select.POLLIN | (select.POLLOUT if self.pending else 0)
        poll.register(self.socket, wanted)
        if self.reading and len(self.pending) < WAITING:
            poll.register(self.input, select.POLLIN)
        if self.caught is not None:
            poll.register(self.caught.descriptor, select.POLLIN)
        for descriptor, events in poll.poll():
            if descriptor == self.input and self.reading:
                self._read_input()
            elif self.caught is not None and descriptor == self.caught.descriptor:
                self._signals()
            elif descriptor == self.socket.fileno():
                if events & select.POLLOUT:
                    self._send()
                if events & ~select.POLLOUT and not self._receive():
                    return False
        if not self.reading and not self.pending and not self.half_closed:
            self._half_close()
        return self.output or not self.half_closed

    def _signals(self) -> None:
        assert self.caught is not None
        for number in self.caught.read():
            if self.on_signal is not None:
                self.on_signal(number)

    def _read_input(self) -> None:
        try:
            data = os.read(self.input, PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.reading = False
            return
        sent, detached = self.watcher.feed(data)
        self.pending += sent
        self._send()
        if detached:
            raise Detached

    def _send(self) -> None:
        try:
            while self.pending:
                del self.pending[: self.socket.send(self.pending[:PIECE])]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.pending.clear()
            self.reading = False
            self.half_closed = True

    def _half_close(self) -> None:
        self.half_closed = True
        try:
            self.socket.shutdown(SHUT_WR)
        except OSError:
            return

    def _receive(self) -> bool:
        try:
            data = self.socket.recv(PIECE)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._show(data)
        return bool(data)

    def _show(self, data: bytes) -> None:
        if self.demultiplexer is None:
            write_all(self.stdout, data)
            return
        for stream, payload in self.demultiplexer.feed(data):
            if stream == SYSTEM_ERROR:
                raise SystemFailure("error from daemon in stream: " + payload.decode("utf-8", "replace"))
            write_all(self.stderr if stream == STDERR else self.stdout, payload)


def write_all(descriptor: int, data: bytes) -> None:
    """All of the bytes to a descriptor, also when it is not blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()


def await_answer(response: Response, caught: signals.Caught | None, on_signal: Callable[[int], None] | None) -> bytes:
    """The body of an answer that comes late, with signals served meanwhile."""
    if caught is not None and on_signal is not None and not response.connection.buffer:
        poll = select.poll()
        poll.register(response.connection.socket, select.POLLIN)
        poll.register(caught.descriptor, select.POLLIN)
        while response.connection.socket.fileno() not in {descriptor for descriptor, _ in poll.poll()}:
            for number in caught.read():
                on_signal(number)
    try:
        return response.read()
    except PierError:
        return b""
