"""The real server with routes of a test's own, on a real socket: `Served` runs the loop in a thread."""

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any, Self

from pier.api.router import Route, Router
from pier.api.server import Server


class Served:
    """A server for the length of a `with`; `path` is its unix socket."""

    def __init__(self, routes: Sequence[Route], engine: Any = None) -> None:
        self._routes, self._engine = routes, engine
        self._directory = tempfile.TemporaryDirectory(prefix="pier-api-")
        self.path = os.path.join(self._directory.name, "s.sock")
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        server = Server(Router(self._routes), self._engine)
        await server.listen(listener)
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._end.wait()
        await server.close(5)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._directory.cleanup()

    @contextlib.contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """A client's socket."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(self.path)
            yield client

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the server's loop, to its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def say(self, *parts: bytes, half_close: bool = True) -> bytes:
        """Send bytes, end our side, and read all that comes back."""
        with self.connected() as client:
            for part in parts:
                client.sendall(part)
            if half_close:
                client.shutdown(socket.SHUT_WR)
            return read_all(client)


def read_all(client: socket.socket) -> bytes:
    """Everything until the other side ends."""
    answer = b""
    while piece := client.recv(65536):
        answer += piece
    return answer


def read_until(client: socket.socket, mark: bytes) -> bytes:
    """Everything up to and with `mark`, and what came along with it."""
    answer = b""
    while mark not in answer:
        piece = client.recv(65536)
        assert piece, f"the connection ended before {mark!r}: {answer!r}"
        answer += piece
    return answer
