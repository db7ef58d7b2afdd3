"""Attaching through a WebSocket: the engine gets one end of a socket pair, and the other is carried in messages here.

A browser cannot take part in Docker's raw takeover. Frames of a container without a terminal are undone: a WebSocket
has messages of its own, and Docker sends both streams in them as they come.
"""

import asyncio
import socket

from aiohttp import WSMsgType
from aiohttp.web_exceptions import HTTPException
from aiohttp.web_request import BaseRequest
from aiohttp.web_ws import WebSocketResponse

from pier.http.frames import FrameReader
from pier.spec.errors import InvalidParameter

_PIECE = 1 << 16
_LONGEST_MESSAGE = 16 << 20


class WebSocketTakeover:
    """The engine's `Takeover` of a WebSocket. `served` waits until the conversation is over."""

    def __init__(self, raw: BaseRequest, *, framed: bool) -> None:
        self._raw = raw
        self._frames = FrameReader() if framed else None
        self._web = WebSocketResponse(max_msg_size=_LONGEST_MESSAGE, compress=False)
        self._carrying: asyncio.Task[None] | None = None

    async def take(self) -> tuple[int, bytes]:
        """Shake hands and give the engine its end."""
        try:
            await self._web.prepare(self._raw)
        except HTTPException as error:
            raise InvalidParameter(f"no WebSocket was asked for: {error.reason}") from None
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self._carrying = asyncio.ensure_future(self._carry(ours))
        return theirs.detach(), b""

    async def served(self) -> None:
        """Return when both directions have ended."""
        if self._carrying is not None:
            await self._carrying

    async def _carry(self, ours: socket.socket) -> None:
        with ours:
            inward = asyncio.ensure_future(self._inward(ours))
            try:
                await self._outward(ours)
            finally:
                inward.cancel()
                await asyncio.wait([inward])
                await self._web.close()

    async def _inward(self, ours: socket.socket) -> None:
        """Messages to the container's input; the client's end of the conversation ends the input."""
        loop = asyncio.get_running_loop()
        try:
            async for message in self._web:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    data = message.data.encode() if isinstance(message.data, str) else message.data
                    await loop.sock_sendall(ours, data)
            ours.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the container's side has ended

    async def _outward(self, ours: socket.socket) -> None:
        """The container's output to messages, until its end or the client's."""
        loop = asyncio.get_running_loop()
        try:
            while data := await loop.sock_recv(ours, _PIECE):
                for piece in self._payloads(data):
                    await self._web.send_bytes(piece)
        except OSError:
            return  # the client is gone

    def _payloads(self, data: bytes) -> list[bytes]:
        return [data] if self._frames is None else [payload for _, payload in self._frames.feed(data)]
