"""Archives for the tests, written block by block: what a well-behaved writer never makes must come from somewhere."""

from dataclasses import dataclass, field

BLOCK = 512
END = bytes(2 * BLOCK)


@dataclass(frozen=True)
class Entry:
    """One entry; `raw` fields overwrite bytes of the header by offset before the checksum is made."""

    name: bytes
    content: bytes = b""
    kind: bytes = b"0"
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    link: bytes = b""
    mtime: int = 1
    size: int | None = None
    device: tuple[int, int] = (0, 0)
    pax: dict[bytes, bytes] = field(default_factory=dict)
    raw: dict[int, bytes] = field(default_factory=dict)
    checksum: bytes | None = None


def tar(*entries: Entry, end: bytes = END) -> bytes:
    """An archive of the entries."""
    return b"".join(map(one, entries)) + end


def one(entry: Entry) -> bytes:
    """The blocks of one entry, its pax header before it."""
    blocks = b""
    if entry.pax:
        records = b"".join(pax_record(key, value) for key, value in entry.pax.items())
        blocks += header(Entry(b"PaxHeaders/x", records, b"x")) + pad(records)
    return blocks + header(entry) + pad(entry.content)


def header(entry: Entry) -> bytes:
    """The header block of an entry."""
    size = len(entry.content) if entry.size is None else entry.size
    block = bytearray(BLOCK)
    fields = (
        (0, entry.name[:100]),
        (100, b"%07o" % entry.mode),
        (108, b"%07o" % entry.uid),
        (116, b"%07o" % entry.gid),
        (124, b"%011o" % size),
        (136, b"%011o" % entry.mtime),
        (156, entry.kind),
        (157, entry.link[:100]),
        (257, b"ustar\x0000"),
        (329, b"%07o" % entry.device[0]),
        (337, b"%07o" % entry.device[1]),
        *entry.raw.items(),
    )
    for offset, value in fields:
        block[offset : offset + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = entry.checksum or b"%06o\0 " % sum(block)
    return bytes(block)


def pax_record(key: bytes, value: bytes) -> bytes:
    """One record of a pax header, with its own length in front."""
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def pad(content: bytes) -> bytes:
    """Content filled up to whole blocks."""
    return content + bytes(-len(content) % BLOCK)


def directory(name: bytes, mode: int = 0o755) -> Entry:
    """A directory."""
    return Entry(name, kind=b"5", mode=mode)


def symlink(name: bytes, target: bytes) -> Entry:
    """A symbolic link."""
    return Entry(name, kind=b"2", link=target, mode=0o777)


def hard_link(name: bytes, target: bytes) -> Entry:
    """A hard link."""
    return Entry(name, kind=b"1", link=target)
