"""`docker logs`: both streams, tail, since, timestamps, follow. The same on dockerd."""

import re
from collections.abc import Iterator

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


@pytest.fixture(scope="module")
def spoken(engine: Engine) -> Iterator[str]:
    """An ended container that has written ten numbered lines, an error, and a line without an end."""
    script = "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; done; sleep 0.1; echo oops >&2; sleep 0.1; printf open"
    engine.docker("run", "--name", "spoken", "busybox", "sh", "-c", script).ok()
    yield "spoken"
    engine.docker("rm", "spoken").ok()


def test_streams_come_back_apart(engine: Engine, spoken: str) -> None:
    result = engine.docker("logs", spoken)
    assert result.stdout == "".join(f"line {i}\n" for i in range(1, 11)) + "open"
    assert result.stderr == "oops\n"


@pytest.mark.parametrize(
    ("tail", "expected"), [("0", []), ("1", ["open"]), ("3", ["line 10", "oops", "open"]), ("all", None)]
)
def test_tail(engine: Engine, spoken: str, tail: str, expected: list[str] | None) -> None:
    result = engine.docker("logs", "--tail", tail, spoken)
    lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
    assert len(lines) == 12 if expected is None else sorted(lines) == sorted(expected)


def test_timestamps_are_rfc3339_with_nine_digits(engine: Engine, spoken: str) -> None:
    for line in engine.docker("logs", "-t", spoken).stdout.splitlines():
        assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ", line), line


def test_since_and_until_the_line_times(engine: Engine, spoken: str) -> None:
    stamps = [line.split(" ")[0] for line in engine.docker("logs", "-t", spoken).stdout.splitlines()]
    assert engine.docker("logs", "--since", stamps[-1], spoken).stdout == "open"
    assert "open" not in engine.docker("logs", "--until", stamps[0], spoken).stdout


def test_follow_ends_with_the_container(engine: Engine) -> None:
    engine.docker(
        "run", "-d", "--name", "chatty", "busybox", "sh", "-c", "for i in 1 2 3; do echo $i; sleep 0.2; done"
    ).ok()
    assert engine.docker("logs", "-f", "chatty").ok() == "1\n2\n3"
    engine.docker("rm", "chatty").ok()


def test_a_terminals_log_has_its_line_ends(engine: Engine) -> None:
    engine.docker("run", "-d", "-t", "--name", "tty-log", "busybox", "echo", "hi").ok()
    engine.docker("wait", "tty-log").ok()
    assert engine.api("GET", "/containers/tty-log/logs?stdout=1").body == b"hi\r\n"
    engine.docker("rm", "tty-log").ok()


def test_frames_carry_the_stream_and_the_size(engine: Engine, spoken: str) -> None:
    body = engine.api("GET", f"/containers/{spoken}/logs?stderr=1").body
    assert body == b"\x02\x00\x00\x00\x00\x00\x00\x05oops\n"


def test_asking_for_no_stream_is_refused(engine: Engine, spoken: str) -> None:
    answer = engine.api("GET", f"/containers/{spoken}/logs")
    assert (answer.status, answer.message) == (400, "Bad parameters: you must choose at least one stream")


def test_the_none_driver_keeps_nothing(engine: Engine) -> None:
    engine.docker("run", "--name", "silent", "--log-driver", "none", "busybox", "echo", "x").ok()
    result = engine.docker("logs", "silent")
    engine.docker("rm", "silent").ok()
    assert "configured logging driver does not support reading" in result.stderr
