"""Attach as far as the daemon itself sends: the backlog of a log goes out block by block."""

import asyncio
import socket
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

from pier.engine.attaching import Attaching, AttachQuery
from pier.engine.container import Container
from pier.engine.offload import Offload
from pier.engine.projection import Projection
from tests.engine.builders import RUNNING, record


class Log:
    """A log whose second block exists only once the client has the first."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self.closed = False

    async def backlog(self, container: Container, query: AttachQuery) -> AsyncGenerator[bytes, None]:
        del container, query
        try:
            yield b"first"
            assert await asyncio.get_running_loop().sock_recv(self._client, 5) == b"first"
            yield b"second"
        finally:
            self.closed = True


def test_a_backlog_is_never_held_as_a_whole() -> None:
    async def scene() -> None:
        client, server = socket.socketpair()
        client.setblocking(False)
        server.setblocking(False)

        class Door:
            async def take(self) -> tuple[int, bytes]:
                return server.detach(), b""

        log: Any = Log(client)
        parts: Any = SimpleNamespace(offload=Offload(1))
        with client:
            query = AttachQuery(logs=True, stdout=True)
            attaching = Attaching(Projection(parts), parts, log)
            await asyncio.wait_for(attaching.attach(Container(record(state=RUNNING)), query, Door()), 20)
            assert client.recv(10) == b"second"
            assert client.recv(10) == b""
        assert log.closed
        parts.offload.close()

    asyncio.run(scene())
