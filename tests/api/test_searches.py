"""`GET /images/search` and `pier search` against an index of our own: filters, limits, and docker's table."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cli.program import comparable, docker, docker_version, pier
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]
FOUND = [
    {"name": "box", "description": "a\nbox " * 20, "star_count": 30, "is_official": True, "is_automated": False},
    {"name": "me/box", "description": "", "star_count": 3, "is_official": False, "is_automated": False},
]


class Index(BaseHTTPRequestHandler):
    """Finds the same for everybody."""

    def do_GET(self) -> None:
        body = json.dumps({"results": FOUND}).encode() if self.path.startswith("/v1/search") else b"{}"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def index() -> Iterator[str]:
    """host:port of a running index."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Index)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["box", "me/box"]),
        ({"is-official": ["true"]}, ["box"]),
        ({"is-official": ["false"]}, ["me/box"]),
        ({"stars": ["4"]}, ["box"]),
        ({"stars": ["4", "31"]}, []),
        ({"is-automated": ["true"]}, []),
        ({"is-automated": ["false"]}, ["box", "me/box"]),
    ],
)
def test_filters_choose_among_what_is_found(
    pierd: Pierd, index: str, filters: dict[str, list[str]], names: list[str]
) -> None:
    rows = pierd.api("GET", f"/images/search?term={index}/box&filters={json.dumps(filters).replace(' ', '')}").ok()
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == names


@pytest.mark.parametrize(
    "query",
    ['filters={"stars":["x"]}', 'filters={"nope":["1"]}', 'filters={"is-official":["x"]}', "limit=101", "limit=x"],
)
def test_what_is_no_filter_is_refused(pierd: Pierd, index: str, query: str) -> None:
    assert pierd.api("GET", f"/images/search?term={index}/box&{query}").status == 400


@pytest.mark.skipif(docker_version() != "28", reason="words are those of the docker CLI 28")
@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--no-trunc"],
        ["-f", "stars=4"],
        ["--format", "{{.Name}} {{.IsOfficial}}"],
        ["-f", "x=y"],
        ["--limit", "101"],
    ],
)
def test_pier_search_shows_what_docker_search_shows(pierd: Pierd, index: str, flags: list[str]) -> None:
    words = ["search", *flags, f"{index}/box"]
    assert comparable(pier(pierd, *words)) == comparable(docker(pierd, *words))
