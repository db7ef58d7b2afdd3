"""One client's connection: aiohttp's parser below, our routing and answers above.

*Theory of operation*: aiohttp reads requests and calls `Server.answer` for each, one at a time. What it cannot do is
done here. (1) A request that may take the connection over (attach, exec start) is cut off exactly at its end, so that
bytes sent behind it are kept as `early` and never parsed as a request. (2) A client that half-closes gets its answer,
unless the handler only watches, which then ends: its task is cancelled. (3) Bad HTTP is a plain 400, no traceback.
"""

import asyncio
import re
from dataclasses import dataclass
from typing import Any

from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import StreamResponse

from pier.http.headers import TEXT

_MAY_TAKE_OVER = re.compile(rb"POST (?:/v[0-9.]+)?/(?:containers/[^ ?]+/attach|exec/[^ ?]+/start|session|grpc)[ ?]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,7})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_HEAD_END = re.compile(rb"\n\r?\n")
_LONGEST_HEAD = 1 << 20
# Early bytes are held up to this size; what is more waits in the socket's buffer.
_EARLY_LIMIT = 1 << 16


@dataclass(frozen=True, slots=True)
class Settings:
    """What every connection of a server shares. `standing_headers`: the header lines that each answer has."""

    standing_headers: bytes


class Connection(RequestHandler):
    """aiohttp's connection with takeover, half-close and cancellation as Docker's clients need them."""

    __slots__ = ("_early", "_early_paused", "_head", "_newest_body", "half_closed", "settings", "watching")

    def __init__(self, manager: Any, settings: Settings, **options: Any) -> None:
        super().__init__(manager, **options)
        self.settings = settings
        # The task whose handler ends when the client goes away.
        self.watching: asyncio.Task[Any] | None = None
        self.half_closed = False
        self._head = bytearray()
        self._newest_body: StreamReader | None = None
        self._early: bytearray | None = None
        self._early_paused = False

    # What the socket brings

    def data_received(self, data: bytes) -> None:
        """Bytes of the client: of a body, of the next request, or early ones."""
        if self._early is not None:
            self._keep_early(data)
        elif self._head or (self._is_idle() and data[:1].isalpha()):
            self._head += data
            self._begin_request()
        else:
            self._parse(data)

    def _parse(self, data: bytes) -> None:
        super().data_received(data)
        if self._messages:
            self._newest_body = self._messages[-1][1]

    def _is_idle(self) -> bool:
        waiter = self._waiter
        return self._request_count == 0 or (waiter is not None and not waiter.done())

    def _begin_request(self) -> None:
        """Pass a request on once its head is whole; one that may take over, once it is whole, and nothing behind it."""
        found = _HEAD_END.search(self._head)
        if found is None and len(self._head) <= _LONGEST_HEAD:
            return
        end = self._end_of_takeover(found.end()) if found else None
        if end is not None and len(self._head) < end:
            return
        received, self._head = bytes(self._head), bytearray()
        if end is not None:
            self._early = bytearray(received[end:])
            received = received[:end]
        self._parse(received)

    def _end_of_takeover(self, head_size: int) -> int | None:
        """Where a request ends that may take the connection over; None for any other, and for chunked bodies."""
        head = bytes(self._head[:head_size])
        if not _MAY_TAKE_OVER.match(head) or _CHUNKED.search(head):
            return None
        length = _LENGTH.search(head)
        return head_size + (int(length[1]) if length else 0)

    def _keep_early(self, data: bytes) -> None:
        assert self._early is not None
        self._early += data
        if len(self._early) > _EARLY_LIMIT and self.transport is not None:
            self.transport.pause_reading()
            self._early_paused = True

    def _release_early(self) -> None:
        """The request was answered without a takeover: what came behind it is the next request after all."""
        early, self._early = self._early, None
        if self._early_paused and self.transport is not None:
            self._early_paused = False
            self.transport.resume_reading()
        if early:
            self.data_received(bytes(early))

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio keeps the connection open on True
        """The client has ended its side: keep the other one open while an answer is due."""
        self.half_closed = True
        if self._early is not None:
            return True
        answer_is_due = self._waiter is None or self._waiter.done()
        body_is_whole = self._newest_body is None or self._newest_body.is_eof()
        return answer_is_due and body_is_whole and not self._head and self.watching is None

    @property
    def ending(self) -> bool:
        """True when no further request can come."""
        return self.half_closed and not self._messages and not self._early

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone: end the handler that watches for it."""
        watching, self.watching = self.watching, None
        super().connection_lost(exc)
        if watching is not None:
            watching.cancel()

    # What goes out

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """aiohttp's end of a request; then the bytes behind it are parsed."""
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self._early is not None:
                self._release_early()

    def handle_error(
        self, request: BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> StreamResponse:
        """Bad HTTP (or a defect below us): a plain answer as Go's server gives it, and the connection ends."""
        del request, exc, message
        words = "400 Bad Request" if status < 500 else "500 Internal Server Error"
        head = f"HTTP/1.1 {words}\r\nContent-Type: {TEXT}\r\nConnection: close\r\n\r\n"
        if self.transport is not None:
            self.transport.write(f"{head}{words}".encode())
        return delivered(keep_alive=False)

    def abandon(self) -> bytes:
        """Forget the transport, which has another protocol now; the early bytes that the client sent."""
        early = bytes(self._early or b"")
        self._early, self.watching, self.transport = None, None, None
        super().connection_lost(None)
        return early


class Delivered:
    """What aiohttp is told of an answer that is already written."""

    __slots__ = ("body_length", "keep_alive", "status")

    def __init__(self, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.status = 0
        self.body_length = 0

    async def prepare(self, request: BaseRequest) -> None:
        """Nothing is left to prepare."""

    async def write_eof(self) -> None:
        """Nothing is left to write."""


def delivered(*, keep_alive: bool) -> StreamResponse:
    """A `Delivered` under the type that aiohttp's signatures name; its protocol uses only what `Delivered` has."""
    answer: Any = Delivered(keep_alive)
    return answer  # type: ignore[no-any-return]
