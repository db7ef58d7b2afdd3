"""Taking a connection over: after the head of a 101 or 200 the socket is the engine's, which hands it to a keeper.

*Theory of operation*: aiohttp's own protocol closes a connection whose client half-closes it, so the transport's
protocol is switched before the head is written, and reading is paused: not one byte more is taken from the socket.
What the client sent right behind its request has been kept apart (`api/connection.py`) and comes along as `early`.
The engine gets a duplicate of the descriptor; the transport then closes its own, without shutting the socket down.
"""

import asyncio
import os
from typing import TYPE_CHECKING

from pier.http import headers
from pier.spec.errors import Unavailable

if TYPE_CHECKING:
    from pier.api.connection import Connection


class _Silent(asyncio.Protocol):
    """Holds the transport while its last bytes leave; a client that ends its side of sending changes nothing."""

    def __init__(self) -> None:
        self.lost = False
        self._writable = asyncio.Event()
        self._writable.set()

    def eof_received(self) -> bool:
        return True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True
        self._writable.set()

    async def drained(self) -> None:
        await self._writable.wait()


class HttpTakeover:
    """The right to take one connection over, once. Satisfies the engine's `Takeover`."""

    def __init__(self, connection: "Connection", *, upgrade: bool, media_type: str) -> None:
        self._connection = connection
        self._upgrade = upgrade
        self.media_type = media_type
        self.taken = False

    async def take(self) -> tuple[int, bytes]:
        """Answer with 101 (or a plain 200) and give (the client's socket, bytes that it has sent already).

        The descriptor is non-blocking, close-on-exec and the caller's to close. Unavailable when the client is gone.
        """
        connection, self.taken = self._connection, True
        transport = connection.transport
        if transport is None or transport.is_closing():
            raise Unavailable("the client has closed its connection")
        transport.pause_reading()
        silent = _Silent()
        transport.set_protocol(silent)
        transport.set_write_buffer_limits(high=0)
        transport.write(self._head(connection))
        early = connection.abandon()
        try:
            await silent.drained()
            if silent.lost:
                raise Unavailable("the client has closed its connection")
            return os.dup(transport.get_extra_info("socket").fileno()), early
        finally:
            transport.close()

    def _head(self, connection: "Connection") -> bytes:
        first = "101 UPGRADED" if self._upgrade else "200 OK"
        upgrade = f"Connection: Upgrade\r\nUpgrade: {headers.UPGRADE_PROTOCOL}\r\n" if self._upgrade else ""
        return (
            f"HTTP/1.1 {first}\r\nContent-Type: {self.media_type}\r\n{upgrade}".encode()
            + connection.settings.standing_headers
            + b"\r\n"
        )
