"""Writes a tar archive entry by entry: ustar blocks, and pax records for what these cannot hold."""

import os
from collections.abc import Callable

from pier.images import tar_headers as tar
from pier.images.tar_headers import BLOCK, Header

_CHUNK = 1 << 20
_MAX_OCTAL_7 = 0o7777777
_MAX_OCTAL_11 = 0o77777777777
_XATTR = b"SCHILY.xattr."

Write = Callable[[bytes], object]


class TarWriter:
    """Hands the blocks of an archive to `write`, in order. `precise`: times to the nanosecond, where Docker has
    seconds.
    """

    def __init__(self, write: Write, *, precise: bool = False) -> None:
        self._write = write
        self._precise = precise

    def add(self, header: Header, content: int | bytes = b"") -> None:
        """One entry. `content` is bytes, or a descriptor of which `header.size` bytes are read from its start."""
        self._write(encode(header, precise=self._precise))
        if header.size:
            if isinstance(content, bytes):
                self._write(content)
            else:
                self._copy(content, header.size)
            self._write(bytes(-header.size % BLOCK))

    def _copy(self, fd: int, size: int) -> None:
        """A file that shrinks meanwhile is filled up with zeros, one that grows is cut: the header was told already."""
        position = 0
        while position < size:
            piece = os.pread(fd, min(_CHUNK, size - position), position) or bytes(min(_CHUNK, size - position))
            self._write(piece)
            position += len(piece)

    def end(self) -> None:
        """The two blocks of zeros that end an archive."""
        self._write(bytes(2 * BLOCK))


def encode(header: Header, *, precise: bool = False) -> bytes:
    """The blocks of an entry's header, its pax header before it when there must be one."""
    records = _records(header, precise=precise)
    if not records:
        return _block(header)
    special = Header()
    special.name, special.kind, special.size, special.mode = b"PaxHeaders/entry", tar.PAX, len(records), 0o644
    return _block(special) + records + bytes(-len(records) % BLOCK) + _block(header)


def _records(header: Header, *, precise: bool) -> bytes:
    records = b""
    if len(header.name) > 100:
        records += _record(b"path", header.name)
    if len(header.link) > 100:
        records += _record(b"linkpath", header.link)
    if header.size > _MAX_OCTAL_11:
        records += _record(b"size", b"%d" % header.size)
    for key, value in ((b"uid", header.uid), (b"gid", header.gid)):
        if value > _MAX_OCTAL_7:
            records += _record(key, b"%d" % value)
    seconds, fraction = divmod(header.mtime_ns, 1_000_000_000)
    if precise and fraction and seconds >= 0:
        records += _record(b"mtime", b"%d.%09d" % (seconds, fraction))
    elif not 0 <= seconds <= _MAX_OCTAL_11:
        records += _record(b"mtime", b"%d" % seconds)
    for name, content in sorted(header.xattrs.items()):
        records += _record(_XATTR + name, content)
    return records


def _record(key: bytes, value: bytes) -> bytes:
    rest = len(key) + len(value) + 3  # a blank, an equals sign and a newline
    length = rest
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _block(header: Header) -> bytes:
    block = bytearray(BLOCK)
    seconds = header.mtime_ns // 1_000_000_000
    for offset, value in (
        (0, header.name[:100]),
        (100, b"%07o" % (header.mode & 0o7777)),
        (108, b"%07o" % min(header.uid, _MAX_OCTAL_7)),
        (116, b"%07o" % min(header.gid, _MAX_OCTAL_7)),
        (124, b"%011o" % min(header.size, _MAX_OCTAL_11)),
        (136, b"%011o" % min(max(seconds, 0), _MAX_OCTAL_11)),
        (148, b" " * 8),
        (156, header.kind),
        (157, header.link[:100]),
        (257, b"ustar\x0000"),
        (329, b"%07o" % header.device[0]),
        (337, b"%07o" % header.device[1]),
    ):
        block[offset : offset + len(value)] = value
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
