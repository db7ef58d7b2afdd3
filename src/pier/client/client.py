"""The client of the Engine API: negotiated version, JSON calls, streams and connections taken over.

One connection is kept for the next call when its answer was read to the end; streams have their own.
"""

from __future__ import annotations

import os

from pier.client import address, documents, http
from pier.client.errors import from_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeAlias

    Query: TypeAlias = dict[str, str | list[str]]
    Body: TypeAlias = bytes | Iterable[bytes] | None

MAXIMUM_VERSION = "1.50"
MINIMUM_VERSION = "1.24"
USER_AGENT = "Pier-Client (linux)"


def version_tuple(text: str) -> tuple[int, int]:
    """`1.41` as numbers; what is not a version counts as the oldest."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (1, 24)


class Taken:
    """A connection that left HTTP: the socket, the bytes that came with the answer, and the stream's media type."""

    __slots__ = ("early", "media_type", "socket")

    def __init__(self, sock: socket.socket, early: bytes, media_type: str) -> None:
        self.socket = sock
        self.early = early
        self.media_type = media_type


class Pending:
    """A request that was sent, on a connection of its own, and whose answer is fetched later."""

    def __init__(self, client: Client, connection: http.Connection, method: str) -> None:
        self._client = client
        self._connection = connection
        self._method = method

    def finish(self) -> http.Response:
        """The answer; raises for statuses from 400."""
        return self._client.checked(self._connection.read_head(self._method))


class Client:
    """Calls to one daemon. Answers of 400 and above are raised as kinds of `pier.spec.errors`."""

    def __init__(self, where: address.Address, *, version: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.address = where
        self.fixed_version = version or os.environ.get("DOCKER_API_VERSION", "")
        self.version = self.fixed_version
        self.headers = {"User-Agent": USER_AGENT, **(headers or {})}
        self.server: dict[str, str] = {}
        self.trace: Callable[[str], None] | None = None
        self._idle: http.Connection | None = None
        self._opened: list[http.Connection] = []

    def close(self) -> None:
        """Close every connection that was not taken over."""
        for connection in self._opened:
            connection.close()
        self._opened.clear()
        self._idle = None

    def negotiate(self) -> str:
        """The API version in use: the daemon's or ours, whichever is older."""
        if not self.version:
            response = self._send("HEAD", "/_ping", {}, None, {})
            self._park(response)
            self.server = response.headers
            offered = self.server.get("api-version", MINIMUM_VERSION)
            older = version_tuple(offered) < version_tuple(MAXIMUM_VERSION)
            self.version = offered if older else MAXIMUM_VERSION
        return self.version

    def at_least(self, version: str) -> bool:
        """True when the negotiated version is this one or newer."""
        return version_tuple(self.negotiate()) >= version_tuple(version)

    def open(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        body: Body = None,
        headers: dict[str, str] | None = None,
    ) -> http.Response:
        """Send a request; the answer's body is still to be read. Raises for statuses from 400."""
        return self.checked(self._send(method, f"/v{self.negotiate()}{path}", query or {}, body, headers or {}))

    def checked(self, response: http.Response) -> http.Response:
        """The answer, unless it is an error, which is raised."""
        if response.status >= 400:
            raise self._error(response)
        return response

    def start(self, method: str, path: str, query: Query | None = None) -> Pending:
        """Send a request now and fetch its answer later, beside other calls."""
        target = f"/v{self.negotiate()}{path}{http.encode_query(query or {})}"
        connection = self._connect()
        connection.send(method, target, self.headers, None)
        return Pending(self, connection, method)

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: object = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a JSON document, or nothing, and return the decoded answer."""
        body = None
        extra = dict(headers or {})
        if document is not None:
            body = documents.encode(document).encode()
            extra["Content-Type"] = "application/json"
        response = self.open(method, path, query, body, extra)
        data = response.read()
        self._park(response)
        return documents.decode(data) if data.strip() else None

    def get(self, path: str, query: Query | None = None) -> Any:
        """GET a JSON answer."""
        return self.call("GET", path, query)

    def post(self, path: str, query: Query | None = None, document: object = None) -> Any:
        """POST a JSON document."""
        return self.call("POST", path, query, document)

    def delete(self, path: str, query: Query | None = None) -> Any:
        """DELETE."""
        return self.call("DELETE", path, query)

    def take_over(self, path: str, query: Query | None = None, document: object = None) -> Taken:
        """POST with an upgrade and return the raw connection (101, or 200 from older daemons)."""
        body = None if document is None else documents.encode(document).encode()
        headers = {"Connection": "Upgrade", "Upgrade": "tcp", "Content-Type": "application/json"}
        self.negotiate()
        connection = self._connection()
        target = f"/v{self.version}{path}{http.encode_query(query or {})}"
        if self.trace is not None:
            self.trace(f"POST {target} (upgrade)")
        response = connection.request("POST", target, {**self.headers, **headers}, body)
        if response.status not in (101, 200):
            raise self._error(response)
        self._opened.remove(connection)
        return Taken(connection.socket, connection.buffer, response.headers.get("content-type", ""))

    def _connection(self) -> http.Connection:
        """The connection that waits for a request, unless the daemon has closed it meanwhile; else a new one."""
        idle, self._idle = self._idle, None
        if idle is not None and idle.alive():
            return idle
        if idle is not None:
            self._opened.remove(idle)
            idle.close()
        return self._connect()

    def _connect(self) -> http.Connection:
        connection = http.Connection(address.connect(self.address), self.address.authority)
        self._opened.append(connection)
        return connection

    def _send(self, method: str, path: str, query: Query, body: Body, headers: dict[str, str]) -> http.Response:
        connection = self._connection()
        if self.trace is not None:
            self.trace(f"{method} {path}{http.encode_query(query)}")
        return connection.request(method, path + http.encode_query(query), {**self.headers, **headers}, body)

    def _park(self, response: http.Response) -> None:
        if response.reusable and self._idle is None:
            self._idle = response.connection
        else:
            response.connection.close()
            self._opened.remove(response.connection)

    def _error(self, response: http.Response) -> Exception:
        data = response.read()
        self._park(response)
        try:
            message = documents.decode(data)["message"]
        except (ValueError, KeyError, TypeError):
            message = data.decode("utf-8", "replace").strip()
        if not message:
            message = f"request returned {response.status} {response.reason} for API route and version, "
            message += "check if the server supports the requested API version"
        return from_answer(response.status, str(message).strip())
