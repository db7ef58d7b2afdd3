"""Connections that are taken over: the head, early bytes, half-closed input, and what happens when nobody takes one."""

import asyncio
import os
import socket
from collections.abc import Iterator

import pytest

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Taken
from pier.api.router import Route
from pier.http.headers import RAW_STREAM
from pier.spec.errors import NotFound, PierError
from tests.api.fakes import Served, read_until


def serve_client(descriptor: int, early: bytes) -> None:
    """What a keeper would do: greet with what came early, echo what comes, say when the input ends."""
    os.set_blocking(descriptor, True)
    with socket.socket(fileno=descriptor) as client:
        client.sendall(b"early=" + early + b";")
        while data := client.recv(4096):
            client.sendall(b"[" + data + b"]")
        client.sendall(b"end of input")


async def attach(request: Request, engine: object) -> Answer:
    name = request["name"]
    if name == "missing":
        raise NotFound("No such container: missing")
    if name == "late":
        takeover = request.takeover(RAW_STREAM)
        descriptor, _ = await takeover.take()
        os.close(descriptor)
        raise NotFound("too late to say")
    if name == "plain":
        return responses.text("not taken")
    descriptor, early = await request.takeover(RAW_STREAM).take()
    assert not os.get_blocking(descriptor)
    asyncio.get_running_loop().run_in_executor(None, serve_client, descriptor, early)
    return Taken()


async def start(request: Request, engine: object) -> Answer:
    await request.read()
    return await attach(request, engine)


async def ping(request: Request, engine: object) -> Answer:
    return responses.text("OK")


ROUTES = (
    Route("POST", "/containers/{name}/attach", attach),
    Route("POST", "/exec/{name}/start", start),
    Route("GET", "/_ping", ping),
)
UPGRADE = b"Host: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with Served(ROUTES) as server:
        yield server


def test_an_upgrade_is_answered_with_101(served: Served) -> None:
    answer = served.say(b"POST /v1.50/containers/x/attach?stream=1 HTTP/1.1\r\n" + UPGRADE + b"\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n")
    assert b"\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" in head
    assert rest == b"early=;end of input"


def test_without_an_upgrade_the_answer_is_a_plain_200(served: Served) -> None:
    answer = served.say(b"POST /containers/x/attach HTTP/1.1\r\nHost: d\r\n\r\n")
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n")
    assert b"Upgrade" not in head
    assert rest == b"early=;end of input"


@pytest.mark.parametrize("cut", [0, 1, 40, -1])
def test_bytes_behind_the_request_come_along(served: Served, cut: int) -> None:
    request = b"POST /exec/x/start HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 2\r\n\r\n{}EARLY"
    parts = [part for part in (request[:cut], request[cut:]) if part]
    rest = served.say(*parts).partition(b"\r\n\r\n")[2]
    came, _, end = rest.removeprefix(b"early=").partition(b"end of input")
    assert (came.translate(None, b";[]"), end) == (b"EARLY", b"")


def test_early_bytes_that_look_like_a_request_are_input(served: Served) -> None:
    rest = served.say(b"POST /exec/x/start HTTP/1.1\r\n" + UPGRADE + b"Content-Length: 2\r\n\r\n{}" + PING)
    assert rest.partition(b"\r\n\r\n")[2] == b"early=" + PING + b";end of input"


def test_input_goes_on_after_the_takeover_and_output_after_its_end(served: Served) -> None:
    with served.connected() as client:
        client.sendall(b"POST /containers/x/attach HTTP/1.1\r\n" + UPGRADE + b"\r\n")
        read_until(client, b"early=;")
        client.sendall(b"one")
        assert read_until(client, b"]") == b"[one]"
        client.shutdown(socket.SHUT_WR)
        assert read_until(client, b"end of input") == b"end of input"


def test_a_large_input_is_not_swallowed(served: Served) -> None:
    block = b"x" * 200_000
    with served.connected() as client:
        client.sendall(b"POST /containers/x/attach HTTP/1.1\r\n" + UPGRADE + b"\r\n" + block)
        client.shutdown(socket.SHUT_WR)
        answer = read_until(client, b"end of input")
    assert answer.count(b"x") == len(block) + answer.partition(b"\r\n\r\n")[0].count(b"x")


@pytest.mark.parametrize("name", [b"missing", b"plain"])
def test_a_connection_that_nobody_takes_serves_the_next_request(served: Served, name: bytes) -> None:
    answer = served.say(b"POST /containers/" + name + b"/attach HTTP/1.1\r\n" + UPGRADE + b"\r\n" + PING)
    assert answer.startswith(b"HTTP/1.1 404" if name == b"missing" else b"HTTP/1.1 200")
    assert answer.endswith(b"OK")
    assert answer.count(b"HTTP/1.1 ") == 2


def test_an_error_after_the_takeover_ends_the_connection(served: Served) -> None:
    answer = served.say(b"POST /containers/late/attach HTTP/1.1\r\n" + UPGRADE + b"\r\n", half_close=False)
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_takeover_from_a_client_that_left_is_an_error_of_ours() -> None:
    from pier.api.hijack import HttpTakeover

    class Gone:
        transport = None

    with pytest.raises(PierError, match="the client has closed its connection"):
        asyncio.run(HttpTakeover(Gone(), upgrade=True, media_type=RAW_STREAM).take())  # type: ignore[arg-type]
