"""Searching an index: who is asked for what, and answers that are none."""

import asyncio

import pytest
from aiohttp import web

from pier.registry import search
from pier.registry.registries import Registries
from pier.spec.credentials import Credentials
from pier.spec.errors import PierError, Unavailable


@pytest.mark.parametrize(
    ("term", "index", "words"),
    [
        ("ubuntu", "index.docker.io", "ubuntu"),
        ("me/ubuntu", "index.docker.io", "me/ubuntu"),
        ("docker.io/ubuntu", "index.docker.io", "ubuntu"),
        ("localhost/a", "localhost", "a"),
        ("host:5000/a/b", "host:5000", "a/b"),
        ("quay.io/a", "quay.io", "a"),
    ],
)
def test_a_term_names_its_index(term: str, index: str, words: str) -> None:
    assert search.split(term) == (index, words)


def ask(status: int, body: bytes) -> tuple[list[search.Found], list[tuple[str, str]]]:
    """Search an index that answers so; what was found, and the paths and passwords that were sent."""
    seen: list[tuple[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.path_qs, request.headers.get("Authorization", "")))
        return web.Response(status=status, body=body)

    async def run() -> list[search.Found]:
        application = web.Application()
        application.router.add_get("/v1/search", answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            term = f"127.0.0.1:{runner.addresses[0][1]}/busy box"
            return await search.search(term, 7, Registries(), Credentials("a", "b"))
        finally:
            await runner.cleanup()

    return asyncio.run(run()), seen


def test_what_an_index_finds_is_read() -> None:
    found, seen = ask(200, b'{"results":[{"name":"a","star_count":3,"is_official":true,"description":null,"x":1}]}')
    assert [(one.name, one.star_count, one.is_official) for one in found] == [("a", 3, True)]
    assert seen == [("/v1/search?q=busy%20box&n=7", "Basic YTpi")]


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b"["), (200, b"[1]"), (302, b""), (401, b""), (429, b"")]
)
def test_an_answer_that_is_none_is_an_error(status: int, body: bytes) -> None:
    with pytest.raises(PierError):
        ask(status, body)


def test_an_index_that_is_not_there_is_named() -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        asyncio.run(search.search("127.0.0.1:1/x", 1, Registries(), None))
