"""The 8-byte frames that carry stdout and stderr on one connection: `[stream, 0, 0, 0, size (u32, big endian)]` and
the payload (Engine API, "Stream format" of ContainerAttach)."""

from collections.abc import Iterator
from struct import Struct

STDIN, STDOUT, STDERR, SYSTEM_ERROR = 0, 1, 2, 3
HEADER_SIZE = 8
_HEADER = Struct(">BxxxI")


class BrokenFrame(ValueError):
    """A frame's header names a stream that does not exist."""


def header(stream: int, size: int) -> bytes:
    """The header of a frame of `size` bytes."""
    return _HEADER.pack(stream, size)


def frame(stream: int, payload: bytes) -> bytes:
    """A whole frame."""
    return _HEADER.pack(stream, len(payload)) + payload


class FrameReader:
    """Takes bytes as they arrive and gives (stream, payload) pieces; a payload may come in several pieces."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The pieces that `data` completes. Raises BrokenFrame on a header that is none."""
        position = 0
        while position < len(data):
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                yield self._stream, piece
                continue
            wanted = HEADER_SIZE - len(self._head)
            self._head += data[position : position + wanted]
            position += wanted
            if len(self._head) == HEADER_SIZE:
                self._open_frame()

    def _open_frame(self) -> None:
        self._stream, self._left = _HEADER.unpack(self._head)
        self._head.clear()
        if self._stream > SYSTEM_ERROR:
            raise BrokenFrame(f"unrecognized stream: {self._stream}")

    @property
    def whole(self) -> bool:
        """True at a frame's end: the stream may end here."""
        return not self._head and not self._left
