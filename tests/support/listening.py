"""A listener to an engine's events, as a program of its own: what it measures is the engine and not the test."""

import json
import select
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

# Of each container that ends by itself, whichever engine it is.
LIFE = ("create", "start", "die", "destroy")


@dataclass(frozen=True)
class Heard:
    """One event; `lag` is the time from its stamp to its arrival, in seconds."""

    kind: str
    action: str
    identity: str
    lag: float


class Listener:
    """Hears `/events` of the engine at a socket from the moment it is made."""

    def __init__(self, path: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "listens\n"

    def heard(self, last: str, seconds: float = 30) -> list[Heard]:
        """All events up to the one that holds the text `last`; or what came in `seconds`, when that does not."""
        answer, _ = self._process.communicate(f"{last} {seconds}\n", timeout=seconds + 30)
        return [Heard(*fields) for fields in json.loads(answer)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


def missing(made: Sequence[str], heard: Sequence[Heard]) -> int:
    """How many events of the lives of containers with the ids `made` were not heard exactly once."""
    times = Counter((event.identity, event.action) for event in heard if event.kind == "container")
    return sum(times[identity, action] != 1 for identity in made for action in LIFE)


def listen(path: str) -> None:
    """The program: say that it listens, hear, be told of the last event on standard input, print all as JSON."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
        client.sendall(b"GET /events HTTP/1.0\r\nHost: localhost\r\n\r\n")
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        print("listens", flush=True)
        pieces = [(time.time_ns(), head.partition(b"\r\n\r\n")[2]), *_pieces(client)]
    json.dump(list(_events(pieces)), sys.stdout)


def _pieces(client: socket.socket) -> Iterator[tuple[int, bytes]]:
    """What comes, with the time (ns) of its arrival, until the last event is among it."""
    last, end, seen, searched = b"", 0.0, bytearray(), 0
    poll = select.poll()
    poll.register(client, select.POLLIN)
    poll.register(sys.stdin, select.POLLIN)
    while not (last and seen.find(last, searched) >= 0) and not (end and time.monotonic() > end):
        searched = max(0, len(seen) - len(last)) if last else 0
        for descriptor, _ in poll.poll(100):
            if descriptor == client.fileno():
                piece = client.recv(1 << 20)
                if not piece:
                    return
                yield time.time_ns(), piece
                seen += piece
            else:
                name, seconds = sys.stdin.readline().split()
                last, end = name.encode(), time.monotonic() + float(seconds)
                poll.unregister(sys.stdin)


def _events(pieces: list[tuple[int, bytes]]) -> Iterator[tuple[str, str, str, float]]:
    """Type, action, id and lag (s) of each line; it has arrived when its last piece has."""
    rest = b""
    for arrival, piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            event = json.loads(line)
            lag = (arrival - event["timeNano"]) / 1e9
            yield event["Type"], event["Action"], event["Actor"]["ID"], lag


if __name__ == "__main__":
    listen(sys.argv[1])
