"""kill -9 of the daemon with twenty containers at work: every line, every exit code, every connection is there."""

import socket
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.lives import ends, gone, lines, run, state
from tests.support.commands import wait_until
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root

WRITERS = 18
# Numbered lines, so that a lost or doubled one shows; the last line says how many there were.
WRITER = "i=0; until test -e /go; do i=$((i+1)); echo $i; sleep 0.1; done; echo last $i; exit {code}"
ECHO = "exec nc -ll -p 7 -e cat"
# The daemon answers within one second on a quiet machine, which the bench holds it to; a loaded one of CI gets more.
SECONDS = 1.0
LOADED = 15


class Visitor(threading.Thread):
    """A client that connects to a published port again and again, and has one more connection all the time."""

    def __init__(self, port: int) -> None:
        super().__init__(name=f"visitor-{port}")
        self.port = port
        self.visits = 0
        self.failure: Exception | None = None
        self.over = threading.Event()

    def run(self) -> None:
        try:
            with self.connect() as lasting:
                while not self.over.is_set():
                    self.ask(lasting)
                    with self.connect() as passing:
                        self.ask(passing)
                    self.visits += 1
        except (OSError, AssertionError) as error:
            self.failure = error

    def connect(self) -> "closing[socket.socket]":
        return closing(socket.create_connection(("127.0.0.1", self.port), 30))

    def ask(self, connection: socket.socket) -> None:
        word = b"visit %d\n" % self.visits
        connection.sendall(word)
        answer = b""
        while len(answer) < len(word):
            piece = connection.recv(len(word) - len(answer))
            assert piece, "the connection was cut"
            answer += piece
        assert answer == word

    def close(self) -> None:
        self.over.set()
        self.join(60)
        assert self.failure is None, f"{self.name} after {self.visits} visits: {self.failure!r}"


def serve(engine: Pierd, name: str) -> int:
    """A container that echoes; its published port, once it answers."""
    body = {
        "Image": "busybox",
        "Cmd": ["sh", "-c", ECHO],
        "ExposedPorts": {"7/tcp": {}},
        "HostConfig": {"PortBindings": {"7/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
    }
    engine.api("POST", f"/containers/create?name={name}", body).ok()
    engine.api("POST", f"/containers/{name}/start").ok()
    told = engine.api("GET", f"/containers/{name}/json").ok()
    port = int(told["NetworkSettings"]["Ports"]["7/tcp"][0]["HostPort"])
    wait_until(lambda: echoes(port), f"{name} listens")
    return port


def echoes(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(b"?")
            return connection.recv(1) == b"?"
    except OSError:
        return False


def kill_and_start(engine: Pierd, while_away: list[int]) -> float:
    """kill -9, let some containers end, start again; the seconds from the start to the first answer."""
    engine.kill()
    for pid in while_away:
        Path(f"/proc/{pid}/root/go").touch()
    for pid in while_away:
        wait_until(lambda pid=pid: gone(pid), f"process {pid} ends while no daemon looks", seconds=30)
    begin = time.monotonic()
    engine.launch()
    wait_until(engine.answers, "the daemon answers again", seconds=60, interval=0.005)
    return time.monotonic() - begin


@pytest.mark.parametrize("kills", [2, pytest.param(9, marks=pytest.mark.slow)])
def test_nothing_is_lost_and_no_port_closes(make_pierd: type[Pierd], kills: int) -> None:
    engine = make_pierd()
    ports = [serve(engine, f"echo{number}") for number in range(2)]
    for number in range(WRITERS):
        run(engine, f"writer{number}", "sh", "-c", WRITER.format(code=number))
    pids = {number: state(engine, f"writer{number}")["Pid"] for number in range(WRITERS)}
    visitors = [Visitor(port) for port in ports]
    for visitor in visitors:
        visitor.start()
    try:
        share = WRITERS // (kills + 1)  # the rest ends under the daemon's eyes
        taken = [
            kill_and_start(engine, [pids[number] for number in range(at * share, (at + 1) * share)])
            for at in range(kills)
        ]
        visited = [visitor.visits for visitor in visitors]
        for number in range(kills * share, WRITERS):
            Path(f"/proc/{pids[number]}/root/go").touch()
        for number in range(WRITERS):
            assert ends(engine, f"writer{number}") == number
    finally:
        for visitor in visitors:
            visitor.close()
    assert all(visited), "the ports were visited while daemons died"
    for number in range(WRITERS):
        check(engine, f"writer{number}", number)
    assert max(taken) <= SECONDS * LOADED, f"seconds until the daemon answered: {taken}"


def check(engine: Pierd, name: str, code: int) -> None:
    """Every line once and in order, and the state of one that ended by itself."""
    written = lines(engine, name)
    assert written == [*map(str, range(1, len(written))), f"last {len(written) - 1}"], name
    told = state(engine, name)
    assert (told["Status"], told["ExitCode"], told["OOMKilled"], told["Error"]) == ("exited", code, False, "")
    assert not told["FinishedAt"].startswith("0001")
