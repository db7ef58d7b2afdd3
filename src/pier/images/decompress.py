"""Streams that may be compressed: the codec is told by the first bytes, and every codec runs in this process, never a
program (CVE-2014-9357).

A read gives at most what was asked for, however far the stream expands, and a zstd window is bounded: a bomb costs
time, not memory. Imports of codecs wait until a stream needs them, for the workers' start.
"""

from pier.spec.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing itself costs the workers' start
    import typing

_INPUT = 128 << 10
_MAX_WINDOW = 1 << 27
_ZSTD_INPUT = 2 << 10
_ZSTD_OUTPUT = 32 << 10
_XZ_MEMORY = 192 << 20
_MAGIC = 6

GZIP = "gzip"
ZSTD = "zstd"
XZ = "xz"
BZIP2 = "bzip2"
PLAIN = ""


class Source:
    """Something to read from: `read(n)` gives 1 to n bytes, or b"" at the end."""

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        raise NotImplementedError


class Peeked(Source):
    """A source whose first bytes can be looked at before they are read."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._early = b""

    def peek(self, size: int) -> bytes:
        """The first `size` bytes, fewer only at the end."""
        while len(self._early) < size and (piece := self._source.read(size - len(self._early))):
            self._early += piece
        return self._early

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        if self._early:
            piece, self._early = self._early[:size], self._early[size:]
            return piece
        return self._source.read(size)


def codec_of(start: bytes) -> str:
    """Tell the codec by the first six bytes of a stream; PLAIN when none is known."""
    if start[:3] == b"\x1f\x8b\x08":
        return GZIP
    if start[:4] == b"\x28\xb5\x2f\xfd" or (start[1:4] == b"\x2a\x4d\x18" and 0x50 <= start[0] <= 0x5F):
        return ZSTD
    if start[:6] == b"\xfd7zXZ\x00":
        return XZ
    if start[:3] == b"BZh":
        return BZIP2
    return PLAIN


def decompress(source: Peeked) -> Source:
    """The plain content of `source`. Its reads raise InvalidParameter for a broken or cut stream."""
    codec = codec_of(source.peek(_MAGIC))
    if codec == GZIP:
        return _Gzip(source)
    if codec == ZSTD:
        return _Zstd(source)
    if codec in (XZ, BZIP2):
        return _Standard(source, codec)
    return source


def broken(codec: str, error: object) -> InvalidParameter:
    """The error for a stream that its codec refuses."""
    return InvalidParameter(f"{codec}: invalid stream: {error}")


class _Gzip(Source):
    """Gzip by isal, several members one after the other as Go reads them."""

    def __init__(self, source: Peeked) -> None:
        from isal import isal_zlib

        self._codec: typing.Any = isal_zlib
        self._source = source
        self._member = self._codec.decompressobj(wbits=31)
        self._input = b""
        self._started = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of content."""
        while True:
            if self._member.eof and not self._next_member():
                return b""
            if not self._input:
                self._input = self._source.read(_INPUT)
                if not self._input:
                    raise InvalidParameter("unexpected EOF")
            try:
                content: bytes = self._member.decompress(self._input, size)
            except self._codec.error as error:
                raise broken(GZIP, error) from None
            self._input = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            if content:
                return content

    def _next_member(self) -> bool:
        """Begin the next member; zeros after the last one are padding."""
        rest = self._input or self._source.read(_INPUT)
        while rest and not rest.strip(b"\0"):
            rest = self._source.read(_INPUT)
        if not rest:
            return False
        if len(rest) < 3:
            rest += self._source.read(_INPUT)
        if codec_of(rest) != GZIP:
            raise broken(GZIP, "invalid header")
        self._input = rest
        self._member = self._codec.decompressobj(wbits=31)
        return True


class _Zstd(Source):
    """Zstandard, frames one after the other, skippable ones included.

    The decompressor cannot be told how much to give, so it is fed two kilobytes at a time: the worst of them make 64
    MiB.
    """

    def __init__(self, source: Peeked) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._source = source
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        self._frame = self._decompressor.decompressobj(write_size=_ZSTD_OUTPUT)
        self._input = b""
        self._position = 0
        self._content = b""
        self._given = 0
        self._inside = False  # of a frame

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of content."""
        if self._given == len(self._content):
            self._content, self._given = self._more(size), 0
        piece = self._content[self._given : self._given + size]
        self._given += len(piece)
        return piece

    def _more(self, size: int) -> bytes:
        parts: list[bytes] = []
        total = 0
        while total < size and self._feed():
            try:
                part = self._frame.decompress(self._input[self._position : self._position + _ZSTD_INPUT])
            except self._error as error:
                raise broken(ZSTD, error) from None
            self._position += _ZSTD_INPUT
            if self._frame.eof:
                self._next_frame()
            parts.append(part)
            total += len(part)
        return b"".join(parts)

    def _feed(self) -> bool:
        """Whether there is input; at the end of the source the frame must be whole."""
        if self._position < len(self._input):
            return True
        self._input, self._position = self._source.read(_INPUT), 0
        if not self._input and self._inside:
            raise InvalidParameter("unexpected EOF")
        self._inside = bool(self._input)
        return self._inside

    def _next_frame(self) -> None:
        unused = self._frame.unused_data
        self._position = min(self._position, len(self._input)) - len(unused)
        self._frame = self._decompressor.decompressobj(write_size=_ZSTD_OUTPUT)
        self._inside = self._position < len(self._input)


class _Standard(Source):
    """xz and bzip2 by the standard library."""

    def __init__(self, source: Peeked, codec: str) -> None:
        self._source = source
        self._codec = codec
        self._input = b""
        self._stream: typing.Any = None
        self._errors: tuple[type[Exception], ...] = ()
        self._begin()

    def _begin(self) -> None:
        if self._codec == XZ:
            import lzma

            self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
            self._errors = (lzma.LZMAError, EOFError)
        else:
            import bz2

            self._stream = bz2.BZ2Decompressor()
            self._errors = (OSError, EOFError)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of content."""
        while True:
            if self._stream.eof and not self._next_stream():
                return b""
            if self._stream.needs_input and not self._input:
                self._input = self._source.read(_INPUT)
                if not self._input:
                    raise InvalidParameter("unexpected EOF")
            try:
                content: bytes = self._stream.decompress(self._input, size)
            except self._errors as error:
                raise broken(self._codec, error) from None
            self._input = b""
            if content:
                return content

    def _next_stream(self) -> bool:
        rest = self._stream.unused_data or self._source.read(_INPUT)
        rest = rest.lstrip(b"\0") if self._codec == XZ else rest
        if not rest:
            return False
        self._begin()
        self._input = rest
        return True
