"""The container's streams and the clients attached to them.

*Theory of operation*: output is read in chunks and written to the log and to every client at once. A client that does
not take its output gets a queue of bounded size; while any queue is full the output is not read, so that the container
waits, as it would for a terminal held with Ctrl-S, and no memory grows. Where others wait too, a client that takes
nothing for `PATIENCE` seconds is let go, so that one stalled client does not hold up the rest for ever. Input goes the
other way with the same rule: while the container does not read, no client is read.
"""

import os
import struct
import time
from collections import deque
from collections.abc import Callable

from pier.runtime.detach import DetachKeys
from pier.runtime.logfile import LogFile
from pier.runtime.loop import GONE, IN, OUT, Loop

CHUNK = 64 * 1024
QUEUE = 256 * 1024
PATIENCE = 10.0
_HEADER = struct.Struct(">BxxxI")
_NUMBER = {b"stdout": 1, b"stderr": 2}


class Client:
    """One attached descriptor."""

    def __init__(self, number: int, descriptor: int, wants: dict[str, object]) -> None:
        self.number = number
        self.descriptor = descriptor
        self.stdin = bool(wants["stdin"])
        self.streams = {name for name in (b"stdout", b"stderr") if wants[name.decode()]}
        self.framed = bool(wants["framed"])
        self.keys = DetachKeys(bytes.fromhex(str(wants["detach_keys"])))
        self.queue: deque[memoryview] = deque()
        self.queued = 0
        self.reading = True
        self.hung_up = False
        self.moved_at = 0.0

    def send(self, stream: bytes, chunk: bytes) -> None:
        """Send a chunk, or queue what the socket does not take. Raises OSError when the client is gone."""
        if stream not in self.streams:
            return
        parts = [_HEADER.pack(_NUMBER[stream], len(chunk)), chunk] if self.framed else [chunk]
        if not self.queue:
            try:
                sent = os.writev(self.descriptor, parts)
            except BlockingIOError:
                sent = 0
                self.moved_at = time.monotonic()
            for part in parts:
                if sent < len(part):
                    self._enqueue(memoryview(part)[sent:])
                sent = max(0, sent - len(part))
        else:
            for part in parts:
                self._enqueue(memoryview(part))

    def _enqueue(self, part: memoryview) -> None:
        self.queue.append(part)
        self.queued += len(part)

    def flush(self) -> None:
        """Send what is queued, as far as the socket takes it. Raises OSError when the client is gone."""
        try:
            while self.queue:
                sent = os.write(self.descriptor, self.queue[0])
                self.queued -= sent
                self.moved_at = time.monotonic()
                if sent == len(self.queue[0]):
                    self.queue.popleft()
                else:
                    self.queue[0] = self.queue[0][sent:]
        except BlockingIOError:
            return


class Streams:
    """Outputs, input, log and clients of one container or exec."""

    def __init__(
        self, loop: Loop, log: LogFile | None, *, tty: bool, stdin_once: bool, patience: float = PATIENCE
    ) -> None:
        self._loop, self._log, self._tty, self._stdin_once = loop, log, tty, stdin_once
        self._patience = patience
        self._outputs: dict[int, bytes] = {}
        self._input = -1
        self._input_ends = False
        self._pending: deque[memoryview] = deque()
        self._paused = False
        self.clients: dict[int, Client] = {}
        self._numbers = 0
        self.on_detach: Callable[[int, str], None] = lambda _number, _why: None

    # The container's side.

    def open_output(self, descriptor: int, stream: bytes) -> None:
        """Read a pipe from now on."""
        os.set_blocking(descriptor, False)
        self._outputs[descriptor] = stream
        self._loop.watch(descriptor, IN, lambda events: self._output(descriptor, events))

    def open_input(self, descriptor: int) -> None:
        """Write clients' input to a pipe."""
        os.set_blocking(descriptor, False)
        self._input = descriptor
        self._loop.watch(descriptor, 0, lambda _events: self._input_ready())

    def open_terminal(self, descriptor: int, *, stdin: bool) -> None:
        """Read and write a terminal's master."""
        os.set_blocking(descriptor, False)
        self._outputs[descriptor] = b"stdout"
        self._input = descriptor if stdin else -1
        self._loop.watch(descriptor, IN, lambda events: self._terminal(descriptor, events))

    def _terminal(self, descriptor: int, events: int) -> None:
        if events & OUT:
            self._input_ready()
        if events & ~OUT and descriptor in self._outputs:
            self._output(descriptor, events)

    def _output(self, descriptor: int, _events: int) -> None:
        try:
            chunk = os.read(descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: every slave of the terminal is closed
            chunk = b""
        if chunk:
            self._spread(self._outputs[descriptor], chunk)
        else:
            self._close_output(descriptor)

    def _spread(self, stream: bytes, chunk: bytes) -> None:
        if self._log:
            try:
                self._log.write(stream, chunk)
            except OSError:
                pass  # a full disk loses log lines, not the container
        for client in tuple(self.clients.values()):
            try:
                client.send(stream, chunk)
            except OSError:
                self.drop(client, "gone")
            else:
                self._update(client)
        self._pace()

    def _close_output(self, descriptor: int) -> None:
        del self._outputs[descriptor]
        self._loop.forget(descriptor)
        if descriptor == self._input:
            self._input = -1
        os.close(descriptor)

    def _pace(self) -> None:
        """Stop or go on reading the outputs, as the fullest queue asks."""
        paused = any(client.queued > QUEUE for client in self.clients.values())
        if paused != self._paused:
            self._paused = paused
            for descriptor in self._outputs:
                self._loop.change(descriptor, self._terminal_events(descriptor))

    def _terminal_events(self, descriptor: int) -> int:
        events = 0 if self._paused else IN
        return events | (OUT if descriptor == self._input and self._pending else 0)

    # The clients' side.

    def attach(self, descriptor: int, wants: dict[str, object], early: bytes = b"") -> int:
        """Serve a client from now on, `early` being its first input; the number by which its end is told."""
        self._numbers += 1
        client = Client(self._numbers, descriptor, wants)
        client.stdin = client.stdin and self._input >= 0
        os.set_blocking(descriptor, False)
        self.clients[descriptor] = client
        self._loop.watch(descriptor, IN, lambda events: self._client(client, events))
        if early and client.stdin:
            self._input_of(client, early)
        self._update(client)
        return client.number

    def _client(self, client: Client, events: int) -> None:
        if events & OUT:
            try:
                client.flush()
            except OSError:
                self.drop(client, "gone")
                return
            self._update(client)
            self._pace()
        if events & IN:
            self._read(client)
        elif events & GONE:
            if client.stdin and client.reading:  # input is held back: its rest is read when the container takes it
                client.hung_up = True
                self._loop.forget(client.descriptor)
                self._resume_clients()  # the container may have taken it earlier in this very turn
            else:
                self.drop(client, "gone")

    def _read(self, client: Client) -> None:
        try:
            data = os.read(client.descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self.drop(client, "gone")
            return
        if not data:
            self._end_of_input(client)
        elif client.stdin:
            self._input_of(client, data)

    def _input_of(self, client: Client, data: bytes) -> None:
        left = False
        if self._tty:
            data, left = client.keys.feed(data)
        self._feed(data)
        if left:
            self.drop(client, "keys")

    def _end_of_input(self, client: Client) -> None:
        """Docker's rule: the end of input ends the container's, or else the attachment; others stay."""
        client.reading = False
        if client.hung_up:
            self.drop(client, "gone")
        elif client.stdin and not (self._stdin_once and not self._tty):
            self.drop(client, "eof")
            return
        else:
            self._update(client)
        if client.stdin and self._stdin_once and not self._tty:
            self._input_ends = True
            self._input_ready()

    def _feed(self, data: bytes) -> None:
        if self._input < 0 or not data:
            return
        self._pending.append(memoryview(data))
        self._input_ready()

    def _input_ready(self) -> None:
        """Write what is pending to the container; clients are read only while nothing is."""
        held = bool(self._pending)
        while self._pending and self._input >= 0:
            try:
                sent = os.write(self._input, self._pending[0])
            except BlockingIOError:
                break
            except OSError:  # the container has closed its end
                self._close_input()
                break
            if sent == len(self._pending[0]):
                self._pending.popleft()
            else:
                self._pending[0] = self._pending[0][sent:]
        if self._input_ends and not self._pending:
            self._close_input()
        if self._input >= 0:
            idle = self._terminal_events(self._input) if self._input in self._outputs else (OUT if self._pending else 0)
            self._loop.change(self._input, idle)
        if held or self._pending:
            self._resume_clients()

    def _resume_clients(self) -> None:
        for client in tuple(self.clients.values()):
            while client.hung_up and not self._pending and client.descriptor in self.clients:
                self._read(client)
            if not client.hung_up:
                self._update(client)

    def _close_input(self) -> None:
        self._pending.clear()
        descriptor, self._input = self._input, -1
        if descriptor >= 0 and descriptor not in self._outputs:
            self._loop.forget(descriptor)
            os.close(descriptor)

    def _update(self, client: Client) -> None:
        if client.hung_up or client.descriptor not in self.clients:
            return
        wait = client.stdin and bool(self._pending)
        self._loop.change(client.descriptor, (IN if client.reading and not wait else 0) | (OUT if client.queue else 0))

    def drop(self, client: Client, why: str) -> None:
        """Let a client go."""
        if self.clients.pop(client.descriptor, None) is None:
            return
        self._loop.forget(client.descriptor)
        os.close(client.descriptor)
        self.on_detach(client.number, why)
        if why == "gone" and client.stdin and self._stdin_once and not self._tty and not self._input_ends:
            self._input_ends = True
            self._input_ready()
        self._pace()

    # Time, and the end.

    def timeout(self) -> float:
        """How long the loop may sleep: without end unless a full queue is being watched."""
        return self._patience / 2 if self._paused and len(self.clients) > 1 else -1

    def let_stalled_go(self) -> None:
        """Drop clients that have taken nothing for too long while others wait."""
        if self._paused and len(self.clients) > 1:
            limit = time.monotonic() - self._patience
            for client in tuple(self.clients.values()):
                if client.queued > QUEUE and client.moved_at < limit and len(self.clients) > 1:
                    self.drop(client, "stalled")

    def drain(self) -> None:
        """Take what the container has left behind: all that the pipes hold now, which is bounded by their size."""
        for descriptor in tuple(self._outputs):
            while descriptor in self._outputs:
                try:
                    chunk = os.read(descriptor, CHUNK)
                except OSError:  # EAGAIN: empty, and others hold the other end; EIO: no other end
                    chunk = b""
                if not chunk:
                    self._close_output(descriptor)
                    break
                self._spread(self._outputs[descriptor], chunk)
        self._close_input()
        if self._log:
            try:
                self._log.close()
            except OSError:
                pass
            self._log = None

    def flushed(self) -> bool:
        """Whether no client waits for output any more."""
        return not any(client.queue for client in self.clients.values())

    def close_idle(self) -> None:
        """Close the clients that have got everything."""
        for client in tuple(self.clients.values()):
            if not client.queue:
                self.drop(client, "end")
