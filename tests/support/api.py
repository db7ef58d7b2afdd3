"""A small HTTP client for an engine's unix socket, independent of the product's own."""

import http.client
import json
import socket
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any


class UnixConnection(http.client.HTTPConnection):
    """The standard library's HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


@dataclass(frozen=True)
class Answer:
    """Status, headers and body of one answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def ok(self) -> Any:
        """Return the body (decoded when it is JSON), or fail with what the engine said."""
        assert self.status < 400, f"{self.status}: {self.body.decode(errors='replace')}"
        return self.json() if self.body and "json" in self.headers.get("Content-Type", "") else self.body

    @property
    def message(self) -> str:
        """The error's text."""
        return str(self.json()["message"])


def ask(
    path: str,
    method: str,
    target: str,
    body: object = None,
    *,
    raw: bytes | Iterable[bytes] | None = None,
    headers: Mapping[str, str] | None = None,
    timeout: float = 120,
) -> Answer:
    """Send one request to the socket at `path`; `body` goes as JSON, `raw` as it is."""
    sent = dict(headers or {})
    payload: bytes | Iterable[bytes] | None = raw
    if body is not None:
        payload = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    with closing(UnixConnection(path, timeout)) as connection:
        connection.request(method, target, payload, sent)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
