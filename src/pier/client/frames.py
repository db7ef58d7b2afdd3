"""The 8-byte frames that carry stdout and stderr of a container without a terminal on one stream.

Source: Engine API, "Stream format": type, three zero bytes, big-endian length, payload.
"""

from __future__ import annotations

from pier.client.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

STDIN, STDOUT, STDERR, SYSTEM_ERROR = range(4)
HEADER = 8


class Demultiplexer:
    """Bytes in, (stream, payload) out; a payload may come in several pieces. Pure."""

    def __init__(self) -> None:
        self._buffer = b""
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The payloads that these bytes complete or continue; raises ProtocolError for an unknown stream."""
        buffer = self._buffer + data
        position, size = 0, len(buffer)
        while position < size:
            if self._left:
                piece = buffer[position : position + self._left]
                self._left -= len(piece)
                position += len(piece)
                yield self._stream, piece
                continue
            if size - position < HEADER:
                break
            self._stream = buffer[position]
            if self._stream > SYSTEM_ERROR:
                raise ProtocolError(f"Unrecognized input header: {self._stream}")
            self._left = int.from_bytes(buffer[position + 4 : position + 8], "big")
            position += HEADER
        self._buffer = buffer[position:]


def demultiplex(chunks: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The payloads of a whole stream."""
    demultiplexer = Demultiplexer()
    for chunk in chunks:
        yield from demultiplexer.feed(chunk)
