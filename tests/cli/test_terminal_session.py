"""pier in a real terminal on a real daemon: raw mode, window size, detach keys, signals, exit codes."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from time import monotonic

import pytest

from tests.cli.program import PIER, environment, pier
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root
SECONDS = 60


class Session:
    """pier on a terminal of its own, 30 by 100."""

    def __init__(self, daemon: Pierd, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.seen = b""
        self.process = subprocess.Popen(
            [*PIER, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment(daemon),
            start_new_session=True,
        )

    def type(self, data: bytes) -> None:
        os.write(self.master, data)

    def expect(self, mark: bytes) -> bytes:
        """All output up to this mark; what comes after it is kept for the next call."""
        deadline = monotonic() + SECONDS
        while mark not in self.seen:
            ready, _, _ = select.select([self.master], [], [], max(0.0, deadline - monotonic()))
            assert ready, f"no {mark!r} in {self.seen!r}"
            self.seen += os.read(self.master, 4096)
        found, _, self.seen = self.seen.partition(mark)
        return found

    def resize(self, rows: int, columns: int) -> None:
        """Change the window, and tell as the terminal would."""
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process.send_signal(signal.SIGWINCH)

    def code(self) -> int:
        """The exit code; the terminal is as it was before."""
        code = self.process.wait(SECONDS)
        assert termios.tcgetattr(self.slave) == self.before
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def sessions() -> Iterator[list[Session]]:
    made: list[Session] = []
    yield made
    for session in made:
        session.close()


def open_session(sessions: list[Session], daemon: Pierd, *arguments: str) -> Session:
    sessions.append(Session(daemon, *arguments))
    return sessions[-1]


def test_a_shell_in_a_terminal_follows_the_window_and_gives_its_code(pierd: Pierd, sessions: list[Session]) -> None:
    session = open_session(sessions, pierd, "run", "--rm", "-it", "busybox", "sh")
    session.expect(b"# ")
    session.type(b"stty size\n")
    session.expect(b"30 100")
    session.resize(40, 120)
    session.type(b"until stty size | grep '40 120'; do :; done\n")
    session.expect(b"\r\n40 120")
    session.type(b"exit 9\n")
    assert session.code() == 9


def test_a_session_is_left_and_joined_again(pierd: Pierd, sessions: list[Session]) -> None:
    first = open_session(sessions, pierd, "run", "-it", "--name", "left", "busybox", "sh")
    first.expect(b"# ")
    first.type(b"\x10\x11")
    assert first.code() == 0
    second = open_session(sessions, pierd, "attach", "--detach-keys", "ctrl-a,b", "left")
    second.type(b"echo again$((1+1))\n")
    second.expect(b"again2")
    second.type(b"\x01b")
    second.expect(b"read escape sequence")
    assert second.code() == 1
    third = open_session(sessions, pierd, "attach", "left")
    third.type(b"exit 4\n")
    assert third.code() == 4
    fourth = open_session(sessions, pierd, "start", "-ai", "left")
    fourth.type(b"exit 5\n")
    assert fourth.code() == 5
    pier(pierd, "rm", "left").ok()


def test_an_exec_has_a_terminal_of_its_own(pierd: Pierd, sessions: list[Session]) -> None:
    pier(pierd, "run", "-d", "--name", "host", "busybox", "sleep", "1000").ok()
    session = open_session(sessions, pierd, "exec", "-it", "host", "sh")
    session.expect(b"# ")
    session.type(b"\x03")
    session.expect(b"# ")
    session.type(b"stty size; exit 3\n")
    session.expect(b"30 100")
    assert session.code() == 3
    pier(pierd, "rm", "-f", "host").ok()


def test_a_signal_reaches_the_container(pierd: Pierd) -> None:
    script = "trap 'echo caught; exit 6' TERM; echo ready; while :; do sleep 0.1; done"
    process = subprocess.Popen(
        [*PIER, "run", "--rm", "busybox", "sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment(pierd),
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=SECONDS)
    finally:
        process.kill()
        process.wait()
    assert (output, process.returncode) == (b"caught\n", 6)


def test_a_base_image_is_built_and_runs(fresh_pierd: Pierd) -> None:
    identity = pier(fresh_pierd, "image", "bootstrap", "-q", "busybox").ok()
    assert identity.startswith("sha256:")
    assert pier(fresh_pierd, "run", "--rm", "busybox", "echo", "works").ok() == "works"
