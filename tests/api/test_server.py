"""The server: routes, versions, headers, errors, bodies, streams, half-closed and vanished clients."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Response, Streaming
from pier.api.router import Route
from pier.spec import errors
from tests.api.fakes import Served, read_until
from tests.support.api import ask

watched = threading.Event()
unwatched = threading.Event()


class Body(msgspec.Struct):
    """A body with one field of each kind."""

    Name: str = ""
    Count: int = 0
    Flag: bool = False
    Words: list[str] | None = None


async def ping(request: Request, engine: object) -> Answer:
    return responses.text("OK")


async def echo(request: Request, engine: object) -> Answer:
    return responses.json({"path": request.path, "name": request["name"], "q": request.query.all("q")})


async def body(request: Request, engine: object) -> Answer:
    return responses.json(msgspec.to_builtins(await request.json(Body)))


async def count(request: Request, engine: object) -> Answer:
    return responses.json({"bytes": sum([len(part) async for part in request.body()])})


async def fail(request: Request, engine: object) -> Answer:
    raise getattr(errors, request["kind"])("the reason")


async def defect(request: Request, engine: object) -> Answer:
    raise ZeroDivisionError("secret detail")


async def stream(request: Request, engine: object) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(request.query.integer("n")):
            yield b"%d;" % number
        if request.query.boolean("fail"):
            raise errors.NotFound("nothing more")

    return Streaming("text/plain", pieces())


async def watch(request: Request, engine: object) -> Answer:
    async def pieces() -> AsyncIterator[bytes]:
        watched.set()
        try:
            yield b"first"
            await asyncio.Event().wait()
        finally:
            unwatched.set()

    return Streaming("text/plain", pieces())


async def old(request: Request, engine: object) -> Answer:
    return Response(200, body=repr(request.version).encode())


ROUTES = (
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/echo/{name:*}/json", echo),
    Route("GET", "/one/{name}", echo),
    Route("POST", "/body", body),
    Route("POST", "/count", count),
    Route("GET", "/fail/{kind}", fail),
    Route("GET", "/defect", defect),
    Route("GET", "/stream", stream),
    Route("GET", "/watch", watch, cancellable=True),
    Route("GET", "/new", old, since="1.42"),
    Route("GET", "/version-of", old),
)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(ROUTES) as server:
        yield server


def test_every_answer_has_dockers_headers(served: Served) -> None:
    for answer in (ask(served.path, "GET", "/_ping"), ask(served.path, "GET", "/none")):
        assert answer.headers["Api-Version"] == "1.50"
        assert answer.headers["Docker-Experimental"] == "false"
        assert answer.headers["Ostype"] == "linux"
        assert answer.headers["Server"].startswith("Pier/")
        assert answer.headers["Date"].endswith(" GMT")


def test_head_has_no_body(served: Served) -> None:
    answer = ask(served.path, "HEAD", "/v1.41/_ping")
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", "2")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/none"), ("GET", "/v1.x/_ping"), ("PATCH", "/_ping"), ("POST", "/one/a"), ("GET", "/one/")],
)
def test_what_has_no_route_is_not_found(served: Served, method: str, path: str) -> None:
    answer = ask(served.path, method, path)
    assert (answer.status, answer.message) == (404, "page not found")


def test_versions_outside_of_the_range_get_dockers_texts(served: Served) -> None:
    new = ask(served.path, "GET", "/v1.51/_ping")
    assert (new.status, new.message) == (
        400,
        "client version 1.51 is too new. Maximum supported API version is 1.50",
    )
    aged = ask(served.path, "GET", "/v1.23/_ping")
    assert aged.status == 400
    assert aged.message == (
        "client version 1.23 is too old. Minimum supported API version is 1.24, "
        "please upgrade your client to a newer version"
    )
    assert ask(served.path, "GET", "/v1.24/version-of").body == b"(1, 24)"
    assert ask(served.path, "GET", "/version-of").body == b"(1, 50)"


def test_a_route_is_not_there_before_its_version(served: Served) -> None:
    assert ask(served.path, "GET", "/v1.41/new").status == 404
    assert ask(served.path, "GET", "/v1.42/new").status == 200


def test_names_with_slashes_and_escapes_reach_the_handler(served: Served) -> None:
    answer = ask(served.path, "GET", "/v1.50/echo/reg.example:5000/a%2Fb/c/json?q=1&q=%C3%A9+x").json()
    assert answer["name"] == "reg.example:5000/a/b/c"
    assert answer["q"] == ["1", "é x"]


@pytest.mark.parametrize("path", ["/one/%ff", "/one/%00", "/echo/a/json?q=%ff"])
def test_names_that_are_no_text_are_refused(served: Served, path: str) -> None:
    assert ask(served.path, "GET", path).status == 400


@pytest.mark.parametrize(
    ("kind", "status"),
    [("InvalidParameter", 400), ("Unauthorized", 401), ("Forbidden", 403), ("NotFound", 404), ("Conflict", 409),
     ("NotSupported", 501), ("Unavailable", 503), ("NoSpace", 507), ("SystemFailure", 500)],
)  # fmt: skip
def test_each_kind_of_error_has_its_status(served: Served, kind: str, status: int) -> None:
    answer = ask(served.path, "GET", f"/fail/{kind}")
    assert (answer.status, answer.json()) == (status, {"message": "the reason"})


def test_not_modified_has_no_body(served: Served) -> None:
    answer = ask(served.path, "GET", "/fail/NotModified")
    assert (answer.status, answer.body) == (304, b"")


def test_a_defect_is_told_without_its_details(served: Served) -> None:
    answer = ask(served.path, "GET", "/defect")
    assert answer.status == 500
    assert answer.message == "internal error: ZeroDivisionError, see the daemon's log"


@pytest.mark.parametrize(
    ("raw", "media_type", "message"),
    [
        (b"{", "application/json", "invalid JSON: unexpected EOF"),
        (b"{} x", "application/json", "unexpected content after JSON"),
        (b"[]", "application/json", "json: cannot unmarshal array into Go value"),
        (b'{"Count": "1"}', "application/json", "cannot unmarshal string into Go struct field Body.Count of type int"),
        (b'{"Flag": 1}', "application/json", "cannot unmarshal number into Go struct field Body.Flag of type bool"),
        (b'{"Words": {}}', "application/json", "cannot unmarshal object into Go struct field Body.Words"),
        (b"\xff", "application/json", "invalid JSON: "),
        (b"{}", "text/plain", 'unsupported Content-Type header (text/plain): must be "application/json"'),
        (b"{}", "nonsense", "malformed Content-Type header (nonsense)"),
    ],
)
def test_bad_bodies_are_refused_in_gos_words(served: Served, raw: bytes, media_type: str, message: str) -> None:
    answer = ask(served.path, "POST", "/body", raw=raw, headers={"Content-Type": media_type})
    assert answer.status == 400
    assert message in answer.message


def test_bodies_are_read_as_go_reads_them(served: Served) -> None:
    answer = ask(served.path, "POST", "/body", body={"name": "x", "WORDS": None, "unknown": 1, "Flag": None})
    assert answer.json() == {"Name": "x", "Count": 0, "Flag": False, "Words": None}
    assert ask(served.path, "POST", "/body").json()["Name"] == ""
    utf8 = {"Content-Type": "application/json; charset=utf-8"}
    assert ask(served.path, "POST", "/body", raw=b"{}", headers=utf8).status == 200


def test_large_and_chunked_bodies_arrive_whole(served: Served) -> None:
    assert ask(served.path, "POST", "/count", raw=b"x" * 3_000_000).json() == {"bytes": 3_000_000}
    assert ask(served.path, "POST", "/count", raw=iter([b"x" * 100_000] * 20)).json() == {"bytes": 2_000_000}


def test_a_client_that_expects_to_continue_is_told_to(served: Served) -> None:
    with served.connected() as client:
        client.sendall(b"POST /count HTTP/1.1\r\nHost: d\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(b"abc")
        assert b'{"bytes":3}' in read_until(client, b"}")


def test_a_stream_is_chunked_and_ends(served: Served) -> None:
    answer = ask(served.path, "GET", "/stream?n=3")
    assert (answer.body, answer.headers["Transfer-Encoding"]) == (b"0;1;2;", "chunked")
    assert ask(served.path, "GET", "/stream?n=0").body == b""


def test_an_error_before_the_first_piece_is_the_answer(served: Served) -> None:
    answer = ask(served.path, "GET", "/stream?fail=1")
    assert (answer.status, answer.message) == (404, "nothing more")


def test_a_stream_to_an_old_client_ends_with_its_connection(served: Served) -> None:
    answer = served.say(b"GET /stream?n=2 HTTP/1.0\r\n\r\n", half_close=False)
    assert answer.endswith(b"\r\n\r\n0;1;")
    assert b"Connection: close" in answer


def test_a_client_that_half_closes_gets_its_answer(served: Served) -> None:
    assert served.say(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n").endswith(b"OK")
    both = served.say(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\nGET /version-of HTTP/1.1\r\nHost: d\r\n\r\n")
    assert both.count(b"HTTP/1.1 200 OK") == 2
    assert both.endswith(b"(1, 50)")


def test_a_body_that_is_cut_short_ends_the_connection(served: Served) -> None:
    assert served.say(b"POST /count HTTP/1.1\r\nHost: d\r\nContent-Length: 5\r\n\r\nabc") == b""


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"GET / FOO/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
     b"POST /count HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\0\0\0\0\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_is_a_plain_400(served: Served, garbage: bytes) -> None:
    answer = served.say(garbage)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Traceback" not in answer


def test_a_watching_handler_ends_with_its_client(served: Served) -> None:
    watched.clear()
    unwatched.clear()
    with served.connected() as client:
        client.sendall(b"GET /watch HTTP/1.1\r\nHost: d\r\n\r\n")
        read_until(client, b"first")
        assert watched.is_set()
        assert not unwatched.is_set()
    assert unwatched.wait(60)


def test_options_of_any_route_are_empty(served: Served) -> None:
    assert ask(served.path, "OPTIONS", "/anything").status == 200


def test_a_whole_url_as_target_is_a_path(served: Served) -> None:
    assert served.say(b"GET http://d/_ping?x=1 HTTP/1.1\r\nHost: d\r\n\r\n").endswith(b"OK")


def test_a_head_that_comes_in_pieces_is_one_request(served: Served) -> None:
    assert served.say(b"GE", b"T /_pi", b"ng HTTP/1.1\r\nHo", b"st: d\r\n", b"\r\n").endswith(b"OK")
