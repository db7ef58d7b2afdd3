"""Archives made by hand, each with what is to become of it: the formats of tar, every kind of name and number that a
field can hold, and the tricks that once led other engines astray.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.images.tars import END, Entry, directory, hard_link, one, symlink, tar

REFUSED = "refused"
AS_TAR = "as GNU tar"
ALIKE = "accepted"


@dataclass(frozen=True)
class Case:
    """An archive: refused, unpacked to the very tree that GNU tar makes, or accepted where GNU tar has another view."""

    name: str
    archive: bytes
    outcome: str
    reason: str = ""  # what the message of a refusal says


_NAMES = {
    "plain": b"file",
    "blank": b"a b",
    "only a blank": b" ",
    "newline": b"a\nb",
    "tab": b"a\tb",
    "bell": b"a\x07b",
    "delete": b"\x7f",
    "not utf-8": b"\xff\xfe",
    "utf-8": "grüße/日本".encode(),
    "option": b"-rf",
    "option of two words": b"--checkpoint-action=exec=true",
    "star": b"*",
    "backslash": b"a\\b",
    "quotes": b"'\"`$(true)`\"'",
    "hidden": b".hidden",
    "three dots": b"...",
    "dots in the middle": b"a..b",
    "whiteout without a dot": b"wh.f",
    "whiteout inside": b"a.wh.b",
    "colon": b"host:file",
    "at": b"@file",
    "deep": b"a/b/c/d/e/f/g/h",
    "dot parts": b"./a/./b",
    "double slash": b"a//b",
    "hundred bytes": b"h" * 100,
    "longest component": b"c" * 255,
    "long path": b"/".join([b"p" * 60] * 20),
}
_KINDS = {"file": b"0", "directory": b"5", "link": b"2", "pipe": b"6", "device": b"3"}


def _named(kind: bytes, name: bytes, pax: dict[bytes, bytes] | None = None) -> Entry:
    link = b"some/where" if kind == b"2" else b""
    return Entry(name, b"content" if kind == b"0" else b"", kind, link=link, device=(1, 3), pax=pax or {})


def _names() -> Iterator[Case]:
    for title, name in _NAMES.items():
        for kind_title, kind in _KINDS.items():
            by_pax = tar(_named(kind, b"short", pax={b"path": name}))
            yield Case(f"name: {title}, {kind_title}, pax", by_pax, AS_TAR)
            by_gnu = one(Entry(b"././@LongLink", name + b"\0", b"L")) + one(_named(kind, name[:100])) + END
            yield Case(f"name: {title}, {kind_title}, gnu", by_gnu, AS_TAR)
            if len(name) <= 100:
                yield Case(f"name: {title}, {kind_title}, ustar", tar(_named(kind, name)), AS_TAR)


_OWNERS = {"0": 0, "1000": 1000, "most octal": 0o7777777, "above octal": 0o10000000, "most": (1 << 32) - 2}
_BAD_OWNERS = {"all ones": (1 << 32) - 1, "33 bits": 1 << 32, "63 bits": (1 << 63) - 1}


def _binary(value: int, size: int) -> bytes:
    """A number in base 256: the first bit says so."""
    raw = bytearray((value % (1 << (8 * size))).to_bytes(size, "big"))
    raw[0] |= 0x80
    return bytes(raw)


def _owners() -> Iterator[Case]:
    for offset, key in ((108, b"uid"), (116, b"gid")):
        for outcome, owners in ((AS_TAR, _OWNERS), (REFUSED, _BAD_OWNERS)):
            for title, owner in owners.items():
                where = key.decode()
                pax = tar(Entry(b"f", b"x", pax={key: b"%d" % owner}))
                yield Case(f"{where}: {title}, pax", pax, outcome, "invalid tar header")
                binary = tar(Entry(b"f", b"x", raw={offset: _binary(owner, 8)}))
                yield Case(f"{where}: {title}, base 256", binary, outcome, "invalid tar header")
        negative = tar(Entry(b"f", b"x", raw={offset: b"\xff" * 8}))
        yield Case(f"{key.decode()}: negative", negative, REFUSED, "invalid tar header")


_TIMES = {
    b"0": AS_TAR,
    b"1": AS_TAR,
    b"1700000000.123456789": AS_TAR,
    b"1700000000.1": AS_TAR,
    b"0.000000001": AS_TAR,
    b"4294967296": AS_TAR,
    b"-1": AS_TAR,
    b"-1000000000": AS_TAR,
    b"1.9999999999": ALIKE,
    b"999999999999999": ALIKE,
    b"-999999999999": ALIKE,
    b"1e9": REFUSED,
    b"1.2.3": REFUSED,
    b"now": REFUSED,
    b"9" * 40: REFUSED,
}
_RAW_NUMBERS = {
    "blanks before": (b"      1750\0", AS_TAR),
    "blank after": (b"0000001750 ", AS_TAR),
    "no end": (b"00000001750", AS_TAR),
    "nothing": (b"\0" * 12, AS_TAR),
    "letters": (b"12345abcdef", REFUSED),
    "eight": (b"00000000008", REFUSED),
    "minus": (b"-0000000001", REFUSED),
    "plus": (b"+0000000001", REFUSED),
    "hexadecimal": (b"0x000000001", REFUSED),
}


def _numbers() -> Iterator[Case]:
    for time, outcome in _TIMES.items():
        for kind_title, kind in _KINDS.items():
            archive = tar(_named(kind, b"f", pax={b"mtime": time}))
            yield Case(f"time: {time[:24].decode()}, {kind_title}", archive, outcome, "invalid tar header")
    for title, (field, outcome) in _RAW_NUMBERS.items():
        yield Case(f"time field: {title}", tar(Entry(b"f", b"x", raw={136: field})), outcome, "invalid tar header")
    for mode in (0, 0o1, 0o777, 0o1777, 0o2755, 0o4755, 0o7777, 0o100644, 0o7777777):
        for kind_title, kind in (("file", b"0"), ("directory", b"5")):
            yield Case(f"mode: {mode:o}, {kind_title}", tar(Entry(b"f", b"", kind, mode=mode)), AS_TAR)
    for size, title in ((-1, "negative"), (1 << 62, "62 bits"), (1 << 51, "two petabytes")):
        lying = tar(Entry(b"f", raw={124: _binary(size, 12)}))
        yield Case(f"size: {title}", lying, REFUSED, "invalid tar header")
        lying = tar(Entry(b"f", pax={b"size": b"%d" % size}))
        yield Case(f"size: {title}, pax", lying, REFUSED, "invalid tar header")
    yield Case(
        "size: eight gigabytes of passwd that are not there",
        tar(Entry(b"etc/passwd", size=(1 << 33) - 1)),
        REFUSED,
        "unexpected EOF",
    )
    for size in (0, 1, 511, 512, 513, 131071, 131072, 131073, 1 << 20, (1 << 20) + 1):
        yield Case(f"size: {size} bytes", tar(Entry(b"f", b"\5" * size), Entry(b"g", b"x")), AS_TAR)


def _formats() -> Iterator[Case]:
    old = {257: bytes(8)}
    yield Case("format: v7", tar(Entry(b"f", b"x", b"\0", raw=old)), AS_TAR)
    yield Case("format: v7 directory", tar(Entry(b"d/", b"", b"\0", raw=old)), AS_TAR)
    yield Case("format: contiguous", tar(Entry(b"f", b"x", b"7")), AS_TAR)
    yield Case("format: prefix", tar(Entry(b"f", b"x", raw={345: b"some/prefix"})), AS_TAR)
    yield Case("format: gnu", tar(Entry(b"f", b"x", raw={257: b"ustar  \0"})), AS_TAR)
    yield Case("format: star", tar(Entry(b"f", b"x", raw={508: b"tar\0"})), AS_TAR)
    yield Case("format: no end", tar(Entry(b"f", b"x"), end=b""), AS_TAR)
    yield Case("format: one zero block", tar(Entry(b"f", b"x"), end=bytes(512)), ALIKE)
    yield Case("format: what follows the end", tar(Entry(b"f", b"x")) + b"rubbish" * 1000, AS_TAR)
    yield Case("format: nothing", END, AS_TAR)
    yield Case("format: global header", tar(Entry(b"x", b"13 comment=ab\n"[:14], b"g"), Entry(b"f", b"x")), ALIKE)
    for kind in b"ZMNVA?\x01\xff":
        archive = tar(Entry(b"f", kind=bytes([kind])))
        yield Case(f"type: {kind}", archive, REFUSED, "unhandled tar header type")


def _pairs() -> Iterator[Case]:
    """A name twice: the later entry wins, or the tree is the first one's with more in it."""
    made = {
        "file": Entry(b"n", b"file"),
        "other file": Entry(b"n", b"longer than before", mode=0o4711),
        "directory": directory(b"n", 0o711),
        "link": symlink(b"n", b"target"),
        "dangling": symlink(b"n", b"nothing/here"),
        "pipe": Entry(b"n", kind=b"6", mode=0o600),
        "device": Entry(b"n", kind=b"4", device=(7, 1)),
        "hard link": hard_link(b"n", b"target"),
    }
    for first, one_ in made.items():
        for then, two in made.items():
            yield Case(f"twice: {first}, then {then}", tar(Entry(b"target", b"t"), one_, two), AS_TAR)


def _whiteouts() -> Iterator[Case]:
    for hidden, outcome in ((b"f", ALIKE), (b"", REFUSED), (b".", REFUSED), (b"..", REFUSED), (b".wh.f", ALIKE)):
        for where in (b"", b"d/", b"d/e/", b"/"):
            archive = tar(directory(b"d"), Entry(where + b".wh." + hidden))
            title = f"whiteout: {(where + b'.wh.' + hidden).decode()}"
            bookkeeping = hidden == b".wh.f"
            yield Case(title, archive, ALIKE if bookkeeping else outcome, "invalid whiteout")
    tricks = {
        "opaque root": [Entry(b".wh..wh..opq")],
        "opaque twice": [directory(b"d"), Entry(b"d/.wh..wh..opq"), Entry(b"d/.wh..wh..opq")],
        "of what this layer made": [Entry(b"f", b"x"), Entry(b".wh.f")],
        "then made": [Entry(b".wh.f"), Entry(b"f", b"x")],
        "of a full directory": [directory(b"d"), Entry(b"d/f", b"x"), Entry(b".wh.d")],
        "below a whiteout": [Entry(b".wh.d"), Entry(b"d/f", b"x")],
        "as a link": [symlink(b".wh.f", b"/etc/passwd")],
        "as a hard link": [Entry(b"f", b"x"), hard_link(b".wh.g", b"f")],
        "as a directory": [directory(b".wh.d")],
        "with content": [Entry(b".wh.f", b"x" * 5000)],
        "twice": [Entry(b".wh.f"), Entry(b".wh.f")],
        "a device 0:0 of its own": [Entry(b"f", kind=b"3", device=(0, 0))],
        "longest": [Entry(b"x", pax={b"path": b".wh." + b"l" * 251})],
    }
    for title, entries in tricks.items():
        refused = title == "below a whiteout"
        yield Case(f"whiteout: {title}", tar(*entries), REFUSED if refused else ALIKE)


def _attributes() -> Iterator[Case]:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    attributes = {
        b"security.capability": (capability, AS_TAR),
        b"user.note": (b"x", AS_TAR),
        b"user.binary": (bytes(range(256)), AS_TAR),
        b"user.long": (b"l" * 2000, AS_TAR),
        b"trusted.note": (b"x", AS_TAR),
        b"trusted.overlay.redirect": (b"/etc", ALIKE),
        b"trusted.overlay.opaque": (b"y", ALIKE),
        b"trusted.overlay.metacopy": (b"", ALIKE),
        b"user.overlay.whiteout": (b"y", ALIKE),
        b"security.selinux": (b"system_u:object_r:etc_t:s0\0", ALIKE),
        b"security.ima": (b"\4", ALIKE),
        b"system.nothing": (b"x", ALIKE),
        b"nonsense": (b"x", ALIKE),
        b"user." + b"n" * 300: (b"x", ALIKE),
    }
    for name, (value, outcome) in attributes.items():
        for kind_title, kind in (("file", b"0"), ("directory", b"5"), ("link", b"2")):
            entry = _named(kind, b"f", pax={b"SCHILY.xattr." + name: value})
            agreed = outcome if kind == b"0" or (name.startswith(b"user.") and kind == b"5") else ALIKE
            yield Case(f"attribute: {name[:40].decode()}, {kind_title}", tar(entry), agreed)


def _links() -> Iterator[Case]:
    made = {
        "to a file": ([Entry(b"f", b"x"), hard_link(b"h", b"f")], AS_TAR),
        "to a file twice": ([Entry(b"f", b"x"), hard_link(b"h", b"f"), hard_link(b"i", b"h")], AS_TAR),
        "to a link": ([symlink(b"l", b"nothing"), hard_link(b"h", b"l")], AS_TAR),
        "to a pipe": ([Entry(b"p", kind=b"6"), hard_link(b"h", b"p")], AS_TAR),
        "to a device": ([Entry(b"p", kind=b"3", device=(1, 3)), hard_link(b"h", b"p")], AS_TAR),
        "to a directory": ([directory(b"d"), hard_link(b"h", b"d")], REFUSED),
        "to what is missing": ([hard_link(b"h", b"f")], REFUSED),
        "to what comes later": ([hard_link(b"h", b"f"), Entry(b"f", b"x")], REFUSED),
        "below a file": ([Entry(b"f", b"x"), hard_link(b"h", b"f/g")], REFUSED),
        "outside": ([hard_link(b"h", b"../outside/secret")], REFUSED),
        "with an absolute name": ([Entry(b"f", b"x"), hard_link(b"h", b"/f")], ALIKE),
        "to itself": ([Entry(b"f", b"x"), hard_link(b"f", b"f")], AS_TAR),
    }
    for title, (entries, outcome) in made.items():
        yield Case(f"hard link: {title}", tar(*entries), outcome)
    for length in (1, 10, 39):
        chain = [symlink(b"l%d" % number, b"l%d" % (number + 1)) for number in range(length)]
        yield Case(f"chain of {length} links", tar(directory(b"l%d" % length), *chain, Entry(b"l0/f", b"x")), ALIKE)
    for length in (41, 200):
        chain = [symlink(b"l%d" % number, b"l%d" % (number + 1)) for number in range(length)]
        yield Case(f"chain of {length} links", tar(directory(b"l%d" % length), *chain, Entry(b"l0/f", b"x")), REFUSED)


def cases() -> list[Case]:
    """The corpus."""
    made = (_names(), _owners(), _numbers(), _formats(), _pairs(), _whiteouts(), _attributes(), _links())
    return [case for family in made for case in family]
