"""Streams of a container on ours: both directions, half-close, detach keys, frames, backpressure."""

import os
import socket
import threading
from collections.abc import Iterator

import pytest

from pier.cli import terminal
from pier.cli.streaming import Detached, Stream
from pier.client.client import Taken
from pier.spec.errors import InvalidParameter, SystemFailure

LARGE = 3_000_000


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


class Ends:
    """Pipes in place of the three standard descriptors: `stdin` to write, and what stdout got."""

    def __init__(self) -> None:
        self.input, self.stdin = os.pipe()
        self.read, self.output = os.pipe()
        self.pieces: list[bytes] = []
        self.collector = threading.Thread(target=self._collect)
        self.collector.start()

    @property
    def descriptors(self) -> tuple[int, int, int]:
        return self.input, self.output, self.output

    def _collect(self) -> None:
        while data := os.read(self.read, 65536):
            self.pieces.append(data)

    def feed(self, data: bytes) -> None:
        """Write to stdin and end it."""
        view = memoryview(data)
        while view:
            view = view[os.write(self.stdin, view[:65536]) :]
        os.close(self.stdin)
        self.stdin = -1

    def shown(self) -> bytes:
        """All that stdout got, after the stream has ended."""
        os.close(self.output)
        self.output = -1
        self.collector.join(30)
        return b"".join(self.pieces)

    def close(self) -> None:
        self.shown() if self.output >= 0 else None
        for descriptor in (self.input, self.read, self.stdin):
            if descriptor >= 0:
                os.close(descriptor)


@pytest.fixture
def ends() -> Iterator[Ends]:
    made = Ends()
    yield made
    made.close()


def frame(stream: int, payload: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


def test_frames_go_to_stdout_until_the_end(pair: tuple[socket.socket, socket.socket], ends: Ends) -> None:
    pair[1].sendall(frame(1, b"lo") + frame(2, b"!\n"))
    pair[1].shutdown(socket.SHUT_WR)
    Stream(Taken(pair[0], frame(1, b"hel"), ""), stdin=False, tty=False, descriptors=ends.descriptors).run()
    assert ends.shown() == b"hello!\n"


def test_input_ends_with_a_half_close_and_output_goes_on(pair: tuple[socket.socket, socket.socket], ends: Ends) -> None:
    ends.feed(b"question")

    def serve() -> None:
        received = b""
        while data := pair[1].recv(1000):
            received += data
        pair[1].sendall(received.upper())
        pair[1].shutdown(socket.SHUT_WR)

    server = threading.Thread(target=serve)
    server.start()
    Stream(Taken(pair[0], b"", ""), stdin=True, tty=True, descriptors=ends.descriptors).run()
    server.join(60)
    assert ends.shown() == b"QUESTION"


def test_much_in_both_directions_does_not_lock(pair: tuple[socket.socket, socket.socket], ends: Ends) -> None:
    def echo() -> None:
        while data := pair[1].recv(65536):
            pair[1].sendall(data)
        pair[1].shutdown(socket.SHUT_WR)

    threads = [threading.Thread(target=ends.feed, args=(b"x" * LARGE,)), threading.Thread(target=echo)]
    for thread in threads:
        thread.start()
    Stream(Taken(pair[0], b"", ""), stdin=True, tty=True, descriptors=ends.descriptors).run()
    for thread in threads:
        thread.join(60)
    assert len(ends.shown()) == LARGE


def test_the_keys_detach_and_what_came_before_is_sent(pair: tuple[socket.socket, socket.socket], ends: Ends) -> None:
    ends.feed(b"ab\x10\x11cd")
    with pytest.raises(Detached):
        Stream(
            Taken(pair[0], b"", ""), stdin=True, tty=True, keys=terminal.DEFAULT_KEYS, descriptors=ends.descriptors
        ).run()
    assert pair[1].recv(100) == b"ab"


def test_input_alone_ends_the_stream_when_no_output_is_wanted(
    pair: tuple[socket.socket, socket.socket], ends: Ends
) -> None:
    ends.feed(b"in")
    Stream(Taken(pair[0], b"", ""), stdin=True, tty=False, output=False, descriptors=ends.descriptors).run()
    assert pair[1].recv(100) == b"in"


def test_an_error_in_the_frames_is_raised(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[1].sendall(frame(3, b"the disk is gone"))
    with pytest.raises(SystemFailure, match="error from daemon in stream: the disk is gone"):
        Stream(Taken(pair[0], b"", ""), stdin=False, tty=False).run()


@pytest.mark.parametrize(
    ("pieces", "sent", "detached"),
    [
        ([b"abc"], b"abc", False),
        ([b"a\x10", b"\x11b"], b"a", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x10"], b"", False),
    ],
)
def test_keys_are_found_across_pieces(pieces: list[bytes], sent: bytes, detached: bool) -> None:
    watcher = terminal.KeyWatcher(terminal.DEFAULT_KEYS)
    results = [watcher.feed(piece) for piece in pieces]
    assert b"".join(data for data, _ in results) == sent
    assert any(found for _, found in results) == detached


def test_keys_are_written_as_docker_writes_them() -> None:
    assert terminal.parse_keys("ctrl-p,ctrl-q") == terminal.DEFAULT_KEYS
    assert terminal.parse_keys("ctrl-@,a,ctrl-[") == b"\x00a\x1b"
    with pytest.raises(InvalidParameter, match="Unknown character: 'ctrl-1'"):
        terminal.parse_keys("ctrl-1")
