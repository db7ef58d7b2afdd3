"""Calls: the negotiated version, errors by kind, connections that are kept or taken over."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pier.client.address import parse
from pier.client.client import Client, version_tuple
from pier.client.errors import DaemonError
from pier.spec import errors
from tests.client.fake import Answer, Asked, FakeDaemon

Made = tuple[FakeDaemon, Client]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[Callable[[Asked], Answer]], Made]]:
    made: list[Made] = []

    def build(answer: Callable[[Asked], Answer]) -> Made:
        daemon = FakeDaemon(tmp_path / "socket", answer)
        made.append((daemon, Client(parse(daemon.host))))
        return made[-1]

    yield build
    for daemon, client in made:
        client.close()
        daemon.close()


def test_the_older_version_is_spoken(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    daemon, client = make(lambda _: Answer({"a": 1}))
    assert client.get("/info") == {"a": 1}
    assert [(one.method, one.target) for one in daemon.asked] == [("HEAD", "/_ping"), ("GET", "/v1.50/info")]
    assert len(daemon.connections) == 1


def test_versions_are_compared_as_numbers() -> None:
    assert version_tuple("1.9") < version_tuple("1.24")
    assert version_tuple("nonsense") == (1, 24)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, errors.InvalidParameter), (404, errors.NotFound), (409, errors.Conflict), (500, errors.SystemFailure)],
)
def test_an_error_is_of_its_kind(
    make: Callable[[Callable[[Asked], Answer]], Made], status: int, kind: type[errors.PierError]
) -> None:
    _, client = make(lambda _: Answer({"message": "no such thing"}, status))
    with pytest.raises(kind) as failure:
        client.post("/x", {"q": "1"}, {"b": 2})
    assert isinstance(failure.value, DaemonError)
    assert failure.value.message == "no such thing"


def test_not_modified_is_no_error(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    _, client = make(lambda _: Answer(None, 304))
    assert client.post("/containers/x/start") is None


def test_an_error_that_is_no_json_is_shown_as_it_is(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    _, client = make(lambda _: Answer(b"plain words\n", 500))
    with pytest.raises(errors.SystemFailure, match="plain words"):
        client.get("/x")


def test_a_connection_is_taken_over_with_its_early_bytes(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    head = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\nearly"
    daemon, client = make(lambda _: Answer(raw=head))
    taken = client.take_over("/containers/x/attach", {"stream": "1"})
    assert daemon.asked[-1].headers["upgrade"] == "tcp"
    assert taken.media_type == "application/vnd.docker.raw-stream"
    early = taken.early
    while len(early) < 5:
        early += taken.socket.recv(10)
    assert early == b"early"
    taken.socket.shutdown(socket.SHUT_RDWR)
    taken.socket.close()


def test_a_connection_that_the_daemon_closed_is_not_used_again(
    make: Callable[[Callable[[Asked], Answer]], Made],
) -> None:
    daemon, client = make(lambda _: Answer([1]))
    assert client.get("/a") == [1]
    daemon.connections[0].shutdown(socket.SHUT_RDWR)
    assert client.get("/b") == [1]
    assert len(daemon.connections) == 2


def test_requests_can_be_traced(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    _, client = make(lambda _: Answer([]))
    seen: list[str] = []
    client.trace = seen.append
    client.get("/a", {"b": "c"})
    assert seen == ["HEAD /_ping", "GET /v1.50/a?b=c"]


def test_two_requests_can_be_under_way(make: Callable[[Callable[[Asked], Answer]], Made]) -> None:
    _, client = make(lambda asked: Answer({"path": asked.target}))
    pending = [client.start("GET", f"/{name}") for name in "ab"]
    assert [one.finish().read() for one in pending] == [b'{"path": "/v1.50/a"}', b'{"path": "/v1.50/b"}']
