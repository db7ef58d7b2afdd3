"""Attaching through a WebSocket: input, both outputs, the ends, and requests that are none."""

import asyncio

import aiohttp
import pytest

from tests.support.pierd import Pierd

pytestmark = pytest.mark.root


async def converse(pierd: Pierd, container: str, say: list[bytes], query: str) -> bytes:
    """Attach, start, say something, and gather what comes until the end."""
    async with (
        aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(path=pierd.socket)) as session,
        session.ws_connect(f"/containers/{container}/attach/ws?{query}") as web,
    ):
        async with session.post(f"/containers/{container}/start") as started:
            assert started.status == 204
        for message in say:
            await web.send_bytes(message)
        got = b""
        async for message in web:
            assert message.type is aiohttp.WSMsgType.BINARY
            got += message.data
        return got


def create(pierd: Pierd, script: str, **config: object) -> str:
    body = {"Image": "busybox", "Cmd": ["sh", "-c", script], "HostConfig": {"AutoRemove": True}, **config}
    return str(pierd.api("POST", "/containers/create", body).ok()["Id"])


def test_output_comes_without_frames(pierd: Pierd) -> None:
    container = create(pierd, "echo out; sleep 0.1; echo err >&2")
    got = asyncio.run(converse(pierd, container, [], "stream=1&stdout=1&stderr=1"))
    assert got == b"out\nerr\n"


def test_input_reaches_the_program(pierd: Pierd) -> None:
    container = create(pierd, "read a; echo got $a; read b; echo bye $b", OpenStdin=True, StdinOnce=True)
    got = asyncio.run(converse(pierd, container, [b"one\n", b"two\n"], "stream=1&stdin=1&stdout=1"))
    assert got == b"got one\nbye two\n"


def test_a_terminal_is_carried_as_it_is(pierd: Pierd) -> None:
    container = create(pierd, "tty; echo bye", Tty=True, OpenStdin=True)
    got = asyncio.run(converse(pierd, container, [], "stream=1&stdin=1&stdout=1"))
    assert got == b"/dev/pts/0\r\nbye\r\n"


def test_the_end_of_the_client_ends_the_input(pierd: Pierd) -> None:
    container = create(pierd, "cat >/dev/null; exit 5", OpenStdin=True, StdinOnce=True, HostConfig={})
    pierd.api("POST", f"/containers/{container}/start").ok()

    async def leave() -> None:
        async with aiohttp.ClientSession("http://d", connector=aiohttp.UnixConnector(path=pierd.socket)) as session:
            web = await session.ws_connect(f"/containers/{container}/attach/ws?stream=1&stdin=1")
            await web.send_bytes(b"last words")
            await web.close()

    asyncio.run(leave())
    assert pierd.api("POST", f"/containers/{container}/wait", timeout=20).ok()["StatusCode"] == 5
    pierd.api("DELETE", f"/containers/{container}").ok()


def test_what_asks_for_no_websocket_is_refused(pierd: Pierd) -> None:
    container = create(pierd, "true")
    answer = pierd.api("GET", f"/containers/{container}/attach/ws?stream=1&stdout=1")
    assert answer.status == 400
    assert answer.message.startswith("no WebSocket was asked for")
    assert pierd.api("GET", "/containers/nope/attach/ws").status == 404
    pierd.api("DELETE", f"/containers/{container}").ok()
