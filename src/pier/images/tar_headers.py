"""The blocks of a tar archive (POSIX ustar and pax, GNU, v7) read into numbers and names. Pure; every loop is bounded.

What is refused is refused with Go's text «archive/tar: invalid tar header», which Docker's users know.
"""

from functools import lru_cache
from zlib import adler32

from pier.spec.errors import InvalidParameter

BLOCK = 512
ZERO_BLOCK = bytes(BLOCK)
MAX_SPECIAL = 1 << 20
MAX_NAME = 4095
MAX_SPARSE = 100_000
MAX_ID = (1 << 32) - 2
MAX_SIZE = 1 << 50

FILE, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
GNU_LONG_NAME, GNU_LONG_LINK, GNU_SPARSE = b"L", b"K", b"S"
PAX, PAX_SOLARIS, PAX_GLOBAL = b"x", b"X", b"g"
_PLAIN = frozenset((FILE, b"\0", b"7"))
_DEVICES = frozenset((CHARACTER, BLOCK_DEVICE))
_HEADER_ONLY = frozenset((HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO))

_SPARSE_ENTRY = 24


def invalid(why: str = "") -> InvalidParameter:
    """The error for an archive that cannot be read."""
    return InvalidParameter("archive/tar: invalid tar header" + (f" ({why})" if why else ""))


class Header:
    """One entry as the archive describes it. Plain attributes: the workers make half a million of these a minute."""

    __slots__ = (
        "device",
        "gid",
        "kind",
        "link",
        "mode",
        "mtime_ns",
        "name",
        "real_size",
        "size",
        "sparse",
        "uid",
        "xattrs",
    )

    def __init__(self) -> None:
        self.name = b""
        self.kind = FILE
        self.mode = 0
        self.uid = 0
        self.gid = 0
        self.size = 0  # bytes of content in the archive
        self.real_size = 0  # bytes of the file that is made; more than `size` when it is sparse
        self.mtime_ns = 0
        self.link = b""
        self.device = (0, 0)
        self.xattrs: dict[bytes, bytes] = {}
        self.sparse: list[tuple[int, int]] | None = None  # (offset, length) of the pieces that are stored


def parse_block(block: bytes) -> tuple[Header, bytes]:
    """A header block and its magic. InvalidParameter when the checksum or a number is wrong."""
    _check_sum(block)
    header = Header()
    header.name = block[:100].split(b"\0", 1)[0]
    header.mode, header.uid, header.gid = _identity(block[100:124])
    header.size = header.real_size = number(block[124:136])
    header.mtime_ns = number(block[136:148]) * 1_000_000_000
    kind = block[156:157]
    header.kind = FILE if kind in _PLAIN else kind
    if block[157]:
        header.link = block[157:257].split(b"\0", 1)[0]
    magic = block[257:265]
    if block[345] and magic[:6] == b"ustar\0":
        header.name = block[345:500].split(b"\0", 1)[0] + b"/" + header.name
    if header.kind in _HEADER_ONLY:
        header.size = header.real_size = 0
        if header.kind in _DEVICES:
            header.device = (number(block[329:337]), number(block[337:345]))
    if not 0 <= header.size <= MAX_SIZE:
        raise invalid("size")
    return header, magic


@lru_cache(maxsize=4096)
def _identity(fields: bytes) -> tuple[int, int, int]:
    """Mode, user and group: an archive has few different ones."""
    return number(fields[:8]), number(fields[8:16]), number(fields[16:24])


def _check_sum(block: bytes) -> None:
    """The sum of the block with blanks in the checksum's place.

    Adler-32 gives it, modulo 65521, thirty times faster than `sum`.
    """
    field = block[148:156]
    stored = number(field)
    if (stored + sum(field) - 255 - (adler32(block) & 0xFFFF)) % 65521 == 0:
        return
    rest = block[:148] + block[156:]
    if stored != sum(rest) + 256 - 256 * sum(byte > 127 for byte in rest):  # some old programs add signed bytes
        raise invalid("checksum")


def text(field: bytes) -> bytes:
    """A field up to its first NUL."""
    return field.split(b"\0", 1)[0]


def number(field: bytes) -> int:
    """A number in octal, or in base 256 when the first bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big", signed=False) & ((1 << (8 * len(field) - 1)) - 1)
        if field[0] & 0x40:
            value -= 1 << (8 * len(field) - 1)
        if not -(1 << 62) < value < 1 << 62:
            raise invalid("number")
        return value
    digits = text(field).strip(b" ")
    if not digits:
        return 0
    if not digits.isdigit():
        raise invalid("number")
    try:
        return int(digits, 8)
    except ValueError:
        raise invalid("number") from None


def parse_pax(content: bytes) -> list[tuple[bytes, bytes]]:
    """The records of a pax header, in order: `<length> <key>=<value>\\n`."""
    records: list[tuple[bytes, bytes]] = []
    position = 0
    while position < len(content):
        space = content.find(b" ", position, position + 10)
        digits = content[position:space] if space > 0 else b""
        if not digits.isdigit():
            raise invalid("pax record")
        end = position + int(digits)
        if end <= space + 1 or end > len(content) or content[end - 1 : end] != b"\n":
            raise invalid("pax record")
        key, equals, value = content[space + 1 : end - 1].partition(b"=")
        if not equals or not key or b"\0" in key:
            raise invalid("pax record")
        records.append((key, value))
        position = end
    return records


def decimal(value: bytes) -> int:
    """A whole number of a pax record."""
    if not value.isdigit() or len(value) > 19:
        raise invalid("pax number")
    return int(value)


def time_ns(value: bytes) -> int:
    """A time of a pax record, `-?seconds[.fraction]`, in nanoseconds."""
    negative = value.startswith(b"-")
    seconds, _, fraction = value.removeprefix(b"-").partition(b".")
    if fraction and not fraction.isdigit():
        raise invalid("pax time")
    total = decimal(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, b"0") or b"0")
    return -total if negative else total


def parse_old_sparse(block: bytes) -> tuple[list[tuple[int, int]], bool, int]:
    """The first pieces of an old GNU sparse file, whether more follow in a block of their own, and the file's real
    size.
    """
    return _sparse_entries(block, 386, 4), block[482] != 0, number(block[483:495])


def parse_more_sparse(block: bytes) -> tuple[list[tuple[int, int]], bool]:
    """The pieces in an extension block, and whether another follows."""
    return _sparse_entries(block, 0, 21), block[504] != 0


def _sparse_entries(block: bytes, start: int, count: int) -> list[tuple[int, int]]:
    entries: list[tuple[int, int]] = []
    for offset in range(start, start + count * _SPARSE_ENTRY, _SPARSE_ENTRY):
        if block[offset] == 0:
            break
        entries.append((number(block[offset : offset + 12]), number(block[offset + 12 : offset + 24])))
    return entries


def check_sparse(header: Header) -> None:
    """The pieces must be in order, inside the file, and as long as what is stored."""
    position = total = 0
    for offset, length in header.sparse or ():
        if offset < position or length < 0:
            raise invalid("sparse map")
        position = offset + length
        total += length
    if position > header.real_size or total != header.size or header.real_size > MAX_SIZE:
        raise invalid("sparse map")
