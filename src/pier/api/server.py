"""The HTTP server: finds a request's route, runs its handler, writes the answer, turns errors into Docker's."""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import aiohttp.web_server
import msgspec
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from pier import __version__
from pier.api import errors, versions
from pier.api.connection import Connection, Settings, delivered
from pier.api.requests import Request
from pier.api.responses import Answer, Response, Streaming, Taken, empty, message
from pier.api.router import Match, Router
from pier.api.writing import Writer
from pier.http import headers
from pier.http.versions import MAXIMUM
from pier.http.versions import parse as parse_version
from pier.http.versions import text as version_text
from pier.spec.errors import InvalidParameter, PierError

if TYPE_CHECKING:
    from pier.engine.engine import Engine

log = logging.getLogger("pier.api")
_LONGEST_LINE = 1 << 20

STANDING_HEADERS = (
    f"{headers.API_VERSION}: {version_text(MAXIMUM)}\r\n"
    f"{headers.EXPERIMENTAL}: false\r\n"
    f"{headers.OSTYPE}: linux\r\n"
    f"{headers.SERVER}: Pier/{__version__} (linux)\r\n"
).encode()


class Server:
    """Serves the Engine API on any number of listening sockets."""

    def __init__(self, router: Router, engine: "Engine") -> None:
        self._router = router
        self._engine = engine
        self._settings = Settings(STANDING_HEADERS)
        self._connections = _Connections(self._answer, self._settings)
        self._listeners: list[asyncio.Server] = []

    async def listen(self, listener: socket.socket) -> None:
        """Accept clients on a bound socket."""
        loop = asyncio.get_running_loop()
        if listener.family == socket.AF_UNIX:
            server = await loop.create_unix_server(self._connections, sock=listener, backlog=1024)
        else:
            server = await loop.create_server(self._connections, sock=listener, backlog=1024)
        self._listeners.append(server)

    async def close(self, timeout: float) -> None:
        """Stop accepting, end the handlers that only watch, give the others `timeout` seconds, then close."""
        for listener in self._listeners:
            listener.close()
        for connection in self._connections.connections:
            watching = cast(Connection, connection).watching
            if watching is not None:
                watching.cancel()
        # Idle connections end now, busy ones after their answer.
        self._connections.pre_shutdown()
        await self._connections.shutdown(timeout)

    async def _answer(self, raw: BaseRequest) -> StreamResponse:
        connection = cast(Connection, raw.protocol)
        writer = Writer(raw, connection)
        try:
            answer = await self._handle(raw, connection)
            if isinstance(answer, Streaming):
                await writer.stream(answer)
            elif isinstance(answer, Response):
                writer.whole(answer)
            return delivered(keep_alive=writer.keep_alive and not isinstance(answer, Taken))
        except ConnectionError:
            connection.force_close()
            return delivered(keep_alive=False)
        except Exception as error:
            return self._fail(error, raw, connection, writer)
        finally:
            connection.watching = None

    async def _handle(self, raw: BaseRequest, connection: Connection) -> Answer:
        path = _path(raw.raw_path)
        if raw.method == "OPTIONS":
            return empty(200)
        match = self._router.find(raw.method, path)
        version = _check_version(match)
        log.debug("Calling %s %s", raw.method, raw.raw_path)
        if match.route.cancellable:
            if connection.half_closed:
                raise ConnectionResetError("the client has closed its connection")
            connection.watching = asyncio.current_task()
        request = Request(raw, connection, version, match.variables)
        return await match.route.handler(request, self._engine)

    def _fail(self, error: Exception, raw: BaseRequest, connection: Connection, writer: Writer) -> StreamResponse:
        if isinstance(error, msgspec.DecodeError):
            error = InvalidParameter(f"invalid JSON: {error}")
        if not isinstance(error, PierError):
            log.error("%s %s failed", raw.method, raw.raw_path, exc_info=error)
        taken_over = connection.transport is None
        if writer.started or taken_over:
            connection.force_close()
            return delivered(keep_alive=False)
        writer.whole(error_answer(error))
        return delivered(keep_alive=writer.keep_alive)


def error_answer(error: Exception) -> Response:
    """Docker's answer for an error; one that is no PierError is a defect of ours, told without its traceback."""
    if not isinstance(error, PierError):
        return message(500, f"internal error: {type(error).__name__}, see the daemon's log")
    status = errors.status(error)
    return empty(status) if status == 304 else message(status, error.message)


def _path(target: str) -> str:
    """The path of a request's target, which may be a whole URL (RFC 9112, 3.2.2)."""
    if not target.startswith("/") and "://" in target:
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]


def _check_version(match: Match) -> tuple[int, ...]:
    version = versions.check(match.version)
    since = match.route.since
    if since != "1.24" and version < parse_version(since):
        raise errors.PageNotFound
    return version


class _Connections(aiohttp.web_server.Server):
    """aiohttp's set of connections, with ours in it."""

    def __init__(self, handler: Callable[[BaseRequest], Awaitable[StreamResponse]], settings: Settings) -> None:
        super().__init__(handler)
        self._settings = settings
        self._options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "max_line_size": _LONGEST_LINE,
            "max_field_size": _LONGEST_LINE,
            "tcp_keepalive": False,
        }

    def __call__(self) -> Connection:
        return Connection(self, self._settings, loop=self._loop, **self._options)
