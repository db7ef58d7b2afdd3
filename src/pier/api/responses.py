"""What a handler answers: plain data, written to the connection by `api/connection.py`.

Response: a status and a whole body, made by json(value), empty(204), text("OK"). Streaming: a body that comes in pieces
from an async iterator. Taken: nothing, the connection was taken over (api/hijack.py).
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec

from pier.http.headers import JSON, TEXT

_ENCODER = msgspec.json.Encoder()


class Response(msgspec.Struct, frozen=True):
    """A status, a media type ("" for none) and a whole body."""

    status: int
    media_type: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)


class Streaming(msgspec.Struct, frozen=True):
    """A body whose length is not known before: sent chunked, piece by piece, as the iterator gives them.

    An error that the iterator raises before its first piece becomes the answer; later ones end the stream (a stream of
    progress reports its errors as pieces).
    """

    media_type: str
    pieces: AsyncIterator[bytes]
    status: int = 200
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    # True sends the head before the first piece exists (events, logs that follow): clients wait for it.
    head_first: bool = False


class Taken(msgspec.Struct, frozen=True):
    """The connection was taken over: nothing is left to answer."""


Answer = Response | Streaming | Taken


def encode(value: Any) -> bytes:
    """`value` (a msgspec Struct, or what JSON holds) as one line of JSON, ended as Go's encoder ends it."""
    return _ENCODER.encode(value) + b"\n"


def json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(status, JSON, encode(value), headers or {})


def text(value: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in plain text."""
    return Response(status, TEXT, value.encode(), headers or {})


def empty(status: int = 204, headers: Mapping[str, str] | None = None) -> Response:
    """An answer without a body."""
    return Response(status, headers=headers or {})


def json_lines(values: AsyncIterator[Any], *, head_first: bool = False, end: bytes = b"\r\n") -> Streaming:
    """A stream of JSON documents, each ended by CRLF as in Docker's streams of progress."""
    return Streaming(JSON, _encoded(values, end), head_first=head_first)


async def _encoded(values: AsyncIterator[Any], end: bytes) -> AsyncIterator[bytes]:
    try:
        async for value in values:
            yield _ENCODER.encode(value) + end
    finally:
        close = getattr(values, "aclose", None)
        if close is not None:
            await close()


def message(status: int, words: str) -> Response:
    """An error, or a message shaped like one: `{"message": …}`."""
    return json({"message": words}, status)
