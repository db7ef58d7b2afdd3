"""From an answer to bytes on a connection: heads, whole bodies, chunked streams with back-pressure."""

import time
from email.utils import formatdate
from http import HTTPStatus

from aiohttp.web_request import BaseRequest

from pier.api.connection import Connection
from pier.api.responses import Response, Streaming

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_BODYLESS = frozenset({204, 304})


class Writer:
    """Writes the answer of one request."""

    __slots__ = ("_connection", "_raw", "keep_alive", "started")

    def __init__(self, raw: BaseRequest, connection: Connection) -> None:
        self._raw = raw
        self._connection = connection
        self.keep_alive = raw.keep_alive and raw.version >= (1, 1) and not connection.ending
        self.started = False

    def whole(self, answer: Response) -> None:
        """A status and a body whose length is known."""
        length = "" if answer.status in _BODYLESS else f"Content-Length: {len(answer.body)}\r\n"
        head = self._head(answer, length)
        bodyless = self._raw.method == "HEAD" or answer.status in _BODYLESS
        self._send(head if bodyless else head + answer.body)

    async def stream(self, answer: Streaming) -> None:
        """A body in pieces. An error before the first piece leaves the answer unstarted, so that it can be reported."""
        chunked = self._raw.version >= (1, 1)
        self.keep_alive = self.keep_alive and chunked
        pieces = answer.pieces
        head = self._head(answer, "Transfer-Encoding: chunked\r\n" if chunked else "")
        try:
            if answer.head_first:
                self._send(head)
            async for piece in pieces:
                if not piece:
                    continue
                framed = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
                self._send(framed if self.started else head + framed)
                await self._drain()
            end = b"0\r\n\r\n" if chunked else b""
            self._send(end if self.started else head + end)
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()

    def _head(self, answer: Response | Streaming, framing: str) -> bytes:
        reason = _REASONS.get(answer.status, "")
        lines = [f"HTTP/1.1 {answer.status} {reason}\r\n"]
        if answer.media_type:
            lines.append(f"Content-Type: {answer.media_type}\r\n")
        lines += [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
        lines += [f"Date: {_date(int(time.time()))}\r\n", framing]
        if not self.keep_alive:
            lines.append("Connection: close\r\n")
        return "".join(lines).encode("latin-1", "replace") + self._connection.settings.standing_headers + b"\r\n"

    def _send(self, data: bytes) -> None:
        transport = self._connection.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client has closed its connection")
        self.started = True
        if data:
            transport.write(data)

    async def _drain(self) -> None:
        await self._raw.writer.drain()


_last_date = (0, "")


def _date(now: int) -> str:
    global _last_date
    if _last_date[0] != now:
        _last_date = (now, formatdate(now, usegmt=True))
    return _last_date[1]
