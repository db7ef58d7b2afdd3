"""Archives that want out of their directory, into overlay's secrets, or all of the memory (security table, rows
38-46, 56-58).
"""

import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from pier.spec.errors import InvalidParameter, PierError
from tests.images.conftest import Unpack
from tests.images.tars import Entry, directory, hard_link, symlink, tar

pytestmark = pytest.mark.root

LEADS_OUT = b"../outside"


ESCAPES = {
    "dot-dot": [Entry(b"../outside/new", b"x")],
    "dot-dot inside": [Entry(b"a/../../outside/new", b"x")],
    "absolute": [Entry(b"/../outside/new", b"x")],
    "link then file": [symlink(b"l", LEADS_OUT), Entry(b"l/new", b"x")],
    "absolute link then file": [symlink(b"l", b"/etc"), Entry(b"l/pier-was-here", b"x")],
    "link of a link": [symlink(b"a", b".."), symlink(b"b", b"a/outside"), Entry(b"b/new", b"x")],
    "link to proc": [symlink(b"l", b"/proc/self/cwd/.."), Entry(b"l/outside/new", b"x")],
    "file replaced by link": [Entry(b"f", b"x"), symlink(b"f", LEADS_OUT + b"/secret"), Entry(b"f", b"y", mode=0o777)],
    "hard link out": [hard_link(b"h", b"../outside/secret"), Entry(b"h", b"y")],
    "hard link by link": [symlink(b"l", LEADS_OUT), hard_link(b"h", b"l/secret")],
    "hard link to link, then write": [
        symlink(b"l", LEADS_OUT + b"/secret"),
        hard_link(b"h", b"l"),
        Entry(b"h", b"y", mode=0o4777),
    ],
    "chmod by link": [symlink(b"secret", LEADS_OUT + b"/secret"), Entry(b"secret", b"", mode=0o4777)],
    "directory over link": [symlink(b"d", LEADS_OUT), directory(b"d/", 0o777), Entry(b"d/new", b"x")],
    "whiteout by link": [symlink(b"l", LEADS_OUT), Entry(b"l/.wh.secret")],
    "opaque by link": [symlink(b"l", LEADS_OUT), Entry(b"l/.wh..wh..opq")],
    "whiteout of dot-dot": [Entry(b"a/.wh...")],
    "whiteout of dot": [Entry(b"a/.wh..")],
    "whiteout of nothing": [Entry(b"a/.wh.")],
    "device by link": [symlink(b"l", LEADS_OUT), Entry(b"l/dev", kind=b"3", device=(1, 3))],
    "fifo by link": [symlink(b"l", LEADS_OUT), Entry(b"l/fifo", kind=b"6")],
    "pax path out": [Entry(b"a", b"x", pax={b"path": b"../outside/new"})],
    "pax link out": [Entry(b"h", kind=b"1", pax={b"linkpath": b"../outside/secret"})],
    "pax sparse name out": [
        Entry(
            b"a",
            b"x",
            pax={b"GNU.sparse.name": b"../outside/new", b"GNU.sparse.realsize": b"1", b"GNU.sparse.map": b"0,1"},
        )
    ],
    "owner by link": [symlink(b"l", LEADS_OUT + b"/etc"), Entry(b"l", kind=b"5", uid=1234)],
    "overwrite by directory link": [symlink(b"etc", LEADS_OUT + b"/etc"), Entry(b"etc/passwd", b"evil")],
    "link loop": [symlink(b"a", b"b"), symlink(b"b", b"a"), Entry(b"a/x", b"x")],
}


@pytest.mark.parametrize("name", ESCAPES)
def test_nothing_outside_changes(name: str, canary: Path, unpack: Unpack) -> None:
    try:
        unpack(tar(*ESCAPES[name]))
    except InvalidParameter:
        pass
    assert not Path("/etc/pier-was-here").exists()


def test_an_absolute_link_is_followed_inside_the_tree(unpack: Unpack, tree: Path) -> None:
    unpack(tar(directory(b"real"), symlink(b"l", b"/real"), Entry(b"l/f", b"x")))
    assert (tree / "real" / "f").read_bytes() == b"x"


OVERLAY = (b"trusted.overlay.redirect", b"trusted.overlay.opaque", b"user.overlay.opaque", b"trusted.overlay.metacopy")


@pytest.mark.parametrize("name", OVERLAY)
def test_overlay_attributes_are_dropped(name: bytes, unpack: Unpack, tree: Path) -> None:
    attributes = {b"SCHILY.xattr." + name: b"/x", b"SCHILY.xattr.trusted.pier": b"kept"}
    unpack(tar(Entry(b"f", b"x", pax=attributes), Entry(b"d", kind=b"5", pax=attributes)))
    for path in (tree / "f", tree / "d"):
        assert os.listxattr(path) == ["trusted.pier"]


MALFORMED = {
    "bad checksum": tar(Entry(b"f", b"x", checksum=b"000000\0 ")),
    "bad size": tar(Entry(b"f", raw={124: b"zzzzzzzzzzz"})),
    "negative size": tar(Entry(b"f", raw={124: b"\xff" * 12})),
    "huge size": tar(Entry(b"f", raw={124: b"\x80" + b"\xff" * 11})),
    "cut in content": tar(Entry(b"f", b"x", size=5000), end=b""),
    "cut in header": tar(Entry(b"f", b"x"))[:700] + b"x",
    "only half a header": b"x" * 100,
    "text": b"this is no archive at all\n" * 100,
    "pax without newline": tar(Entry(b"x", b"12 path=abc", b"x"), Entry(b"f")),
    "pax length lies": tar(Entry(b"x", b"99 path=abc\n", b"x"), Entry(b"f")),
    "pax length zero": tar(Entry(b"x", b"0 path=a\n", b"x"), Entry(b"f")),
    "pax too large": tar(Entry(b"x", b"", b"x", size=1 << 21), Entry(b"f")),
    "nul in name": tar(Entry(b"f", pax={b"path": b"a\0b"})),
    "long name too large": tar(Entry(b"x", b"", b"L", size=1 << 30), Entry(b"f")),
    "too many extended headers": tar(*[Entry(b"x", b"11 path=abc\n"[:11], b"g")] * 20, Entry(b"f")),
    "sparse overlap": tar(Entry(b"f", b"xy", pax={b"GNU.sparse.realsize": b"9", b"GNU.sparse.map": b"5,1,2,1"})),
    "sparse beyond end": tar(Entry(b"f", b"x", pax={b"GNU.sparse.realsize": b"3", b"GNU.sparse.map": b"9,1"})),
    "sparse 1.0 bomb": tar(
        Entry(
            b"f",
            b"99999999999\n".ljust(512, b"0"),
            pax={b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.realsize": b"9"},
        )
    ),
    "owner too large": tar(Entry(b"f", pax={b"uid": b"4294967296"})),
    "unknown type": tar(Entry(b"f", kind=b"Z")),
    "second volume": tar(Entry(b"f", kind=b"M")),
    "bad device": tar(Entry(b"d", kind=b"3", raw={329: b"7777777\0"})),
    "gzip cut": gzip.compress(tar(Entry(b"f", os.urandom(5000))))[:-100],
    "gzip broken": gzip.compress(tar(Entry(b"f", b"x")))[:30] + b"\0" * 100,
    "zstd broken": zstandard.compress(tar(Entry(b"f", os.urandom(5000))))[:200] + b"\0" * 100,
    "xz broken": b"\xfd7zXZ\x00" + b"x" * 100,
    "bzip2 broken": b"BZh9" + b"x" * 100,
    "file under file": tar(Entry(b"f", b"x"), Entry(b"f/g", b"x")),
    "name too long": tar(Entry(b"f", pax={b"path": b"a/" * 3000})),
    "component too long": tar(Entry(b"f", pax={b"path": b"a" * 300})),
    "hard link to nothing": tar(hard_link(b"h", b"nothing")),
    "hard link to itself": tar(hard_link(b"h", b"h")),
    "hard link to a directory": tar(directory(b"d"), hard_link(b"h", b"d")),
    "hard link to the root": tar(hard_link(b"h", b"/")),
    "link to nothing": tar(symlink(b"l", b"")),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_archive_is_refused(name: str, canary: Path, unpack: Unpack) -> None:
    with pytest.raises(InvalidParameter):
        unpack(MALFORMED[name])


def test_a_bomb_of_zeros_takes_no_disk(unpack: Unpack, tree: Path) -> None:
    size = 1 << 28
    head = tar(Entry(b"zeros", size=size), end=b"")
    compressor = zstandard.ZstdCompressor().compressobj()
    parts = [compressor.compress(head)]
    parts += [compressor.compress(bytes(1 << 20)) for _ in range(size >> 20)]
    parts.append(compressor.compress(bytes(1024)) + compressor.flush())
    unpack(b"".join(parts))
    assert (tree / "zeros").stat().st_size == size
    assert (tree / "zeros").stat().st_blocks * 512 < 16 << 20


def test_a_sparse_terabyte_takes_no_disk(unpack: Unpack, tree: Path) -> None:
    attributes = {b"GNU.sparse.realsize": b"%d" % (1 << 40), b"GNU.sparse.map": b"%d,1" % ((1 << 40) - 1)}
    unpack(tar(Entry(b"s", b"x", pax=attributes)))
    assert (tree / "s").stat().st_size == 1 << 40
    assert (tree / "s").stat().st_blocks * 512 <= 1 << 20


def test_unpacking_stays_small_under_a_bomb(tree: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(gzip.compress(tar(Entry(b"zeros", bytes(200 << 20))), 1))
    program = (
        "import os, sys; from pier.images import unpacking\n"
        "print(unpacking.run({'layer': True}, stream=0, directory=os.open(sys.argv[1], 0), notes=-1, blob=-1))\n"
        "print(open('/proc/self/status').read())"
    )
    with bomb.open("rb") as stream:
        command = [sys.executable, "-c", program, str(tree)]
        environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.run(
            command, stdin=stream, env=environment, check=True, capture_output=True, text=True
        ).stdout
    peak = int(output.partition("VmHWM:")[2].split()[0])
    assert "sha256:" in output
    assert peak < 128 << 10


def test_a_zstd_window_of_two_gigabytes_is_refused(unpack: Unpack) -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, strategy=1, enable_ldm=False)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    stream = compressor.compress(os.urandom(1 << 20)) + compressor.flush()
    with pytest.raises(InvalidParameter):
        unpack(stream)


def test_the_limit_on_content_holds(unpack: Unpack) -> None:
    with pytest.raises(InvalidParameter, match="more than the engine accepts"):
        unpack(tar(Entry(b"a", b"x" * 600), Entry(b"b", b"x" * 600)), limit=1000)


def test_a_program_of_the_image_never_unpacks(unpack: Unpack, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    traps = [Entry(b"usr/bin/" + name, b"#!/bin/sh\ntouch /tmp/pier-trap\n", mode=0o755) for name in (b"xz", b"unpigz")]
    monkeypatch.setenv("PATH", str(tree / "usr/bin"))
    unpack(gzip.compress(tar(*traps)))
    unpack(gzip.compress(tar(*traps)))
    assert not Path("/tmp/pier-trap").exists()


def test_deep_directories_are_made_and_removed(unpack: Unpack, tree: Path) -> None:
    from pier.store import trees

    unpack(tar(Entry(b"x", b"", pax={b"path": b"d/" * 1500 + b"f"})))
    trees.remove(tree / "d")
    assert os.listdir(tree) == []


def test_a_broken_worker_is_reported_not_awaited(unpack: Unpack) -> None:
    with pytest.raises(PierError):
        unpack(b"\x1f\x8b\x08" + os.urandom(1000))
