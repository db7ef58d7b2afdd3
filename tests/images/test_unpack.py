"""Layers as they should be: whiteouts, attributes, links, devices, every format of tar, and the same tree as GNU tar
makes.
"""

import bz2
import gzip
import hashlib
import lzma
import os
import stat
import subprocess
from pathlib import Path

import pytest
import zstandard

from pier.images.decompress import Peeked, Source, decompress
from pier.spec.errors import InvalidParameter
from tests.images.conftest import Unpack, fingerprint
from tests.images.tars import Entry, directory, hard_link, symlink, tar

pytestmark = pytest.mark.root


def test_a_whiteout_becomes_a_device_0_0(unpack: Unpack, tree: Path) -> None:
    unpack(tar(directory(b"d"), Entry(b"d/.wh.gone"), Entry(b".wh.also")))
    for path in (tree / "d/gone", tree / "also"):
        status = path.lstat()
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == 0
    assert not (tree / "d/.wh.gone").exists()


def test_an_opaque_directory_gets_overlays_attribute(unpack: Unpack, tree: Path) -> None:
    unpack(tar(directory(b"d"), Entry(b"d/.wh..wh..opq"), Entry(b"d/f", b"x")))
    assert os.getxattr(tree / "d", "trusted.overlay.opaque") == b"y"
    assert os.listdir(tree / "d") == ["f"]


def test_aufs_bookkeeping_is_skipped(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b".wh..wh.aufs", b"x"), directory(b".wh..wh.orph"), Entry(b".wh..wh.plnk/1.2", b"x")))
    assert os.listdir(tree) == [] or os.listdir(tree) == [".wh..wh.plnk"]


def test_as_it_is_a_whiteout_is_a_file(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b".wh.f", b"x")), layer=False)
    assert (tree / ".wh.f").read_bytes() == b"x"


def test_modes_owners_times_and_capabilities_are_kept(unpack: Unpack, tree: Path) -> None:
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    pax = {b"SCHILY.xattr.security.capability": capability, b"mtime": b"1700000000.123456789"}
    unpack(
        tar(
            directory(b"d", 0o3775),
            Entry(b"d/su", b"x", mode=0o4755, uid=1000, gid=2000, pax=pax),
            symlink(b"d/l", b"su"),
            Entry(b"d/n", kind=b"3", mode=0o666, device=(1, 3)),
            Entry(b"d/b", kind=b"4", device=(7, 300)),
            Entry(b"d/p", kind=b"6", mode=0o600),
        )
    )
    status = (tree / "d/su").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o4755, 1000, 2000)
    assert status.st_mtime_ns == 1_700_000_000_123_456_789
    assert os.getxattr(tree / "d/su", "security.capability") == capability
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o3775
    assert (tree / "d").stat().st_mtime == 1
    assert (tree / "d/n").stat().st_rdev == os.makedev(1, 3)
    assert (tree / "d/b").lstat().st_rdev == os.makedev(7, 300)
    assert stat.S_ISFIFO((tree / "d/p").lstat().st_mode)


def test_a_later_entry_replaces_an_earlier_one(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"a", b"1"), Entry(b"a", b"2"), directory(b"d"), Entry(b"d/x", b"1"), Entry(b"d", b"file")))
    assert (tree / "a").read_bytes() == b"2"
    assert (tree / "d").read_bytes() == b"file"


def test_the_later_of_two_entries_of_a_directory_gives_its_time(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"d", kind=b"5", mtime=5), Entry(b"d/f", b"x"), Entry(b"d", kind=b"5", mtime=7)))
    assert (tree / "d").stat().st_mtime == 7


def test_a_file_in_a_directorys_place_keeps_its_own_time(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"d", kind=b"5", mtime=5), Entry(b"d", b"x", mtime=7)))
    assert (tree / "d").stat().st_mtime == 7


def test_a_directory_that_no_entry_speaks_of_inherits_nothing(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"d", kind=b"5", mode=0o2775, gid=1000), Entry(b"d/implied/f", b"x")))
    status = (tree / "d/implied").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_gid) == (0o755, 0)


def test_a_hard_link_to_itself_changes_nothing(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"f", b"x"), hard_link(b"f", b"f")))
    assert (tree / "f").read_bytes() == b"x"


def test_a_refusal_can_name_what_is_not_utf8(unpack: Unpack) -> None:
    with pytest.raises(InvalidParameter, match=r"hard link"):
        unpack(tar(hard_link(b"\xff", b"\xfe")))


def test_a_directory_entry_keeps_what_is_in_it(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"d/x", b"1"), directory(b"d", 0o700)))
    assert (tree / "d/x").exists()
    assert stat.S_IMODE((tree / "d").stat().st_mode) == 0o700


def test_hard_links_share_one_file(unpack: Unpack, tree: Path) -> None:
    unpack(tar(Entry(b"a", b"1"), hard_link(b"d/b", b"./a"), symlink(b"l", b"a"), hard_link(b"m", b"l")))
    assert (tree / "a").stat().st_ino == (tree / "d/b").stat().st_ino
    assert os.readlink(tree / "m") == "a"


def test_the_digest_counts_what_follows_the_end(unpack: Unpack) -> None:
    archive = tar(Entry(b"a", b"1")) + b"trailing" * 100
    assert unpack(archive).diff_id == "sha256:" + hashlib.sha256(archive).hexdigest()


@pytest.mark.parametrize("archive", [b"", bytes(512), bytes(10240)])
def test_an_empty_archive_is_an_empty_layer(archive: bytes, unpack: Unpack, tree: Path) -> None:
    assert unpack(archive).entries == 0
    assert os.listdir(tree) == []


CODECS = {
    "gzip": gzip.compress,
    "two gzip members": lambda raw: gzip.compress(raw[:700]) + gzip.compress(raw[700:]) + bytes(512),
    "zstd": zstandard.compress,
    "two zstd frames": lambda raw: zstandard.compress(raw[:700]) + zstandard.compress(raw[700:]),
    "zstd with a skippable frame": lambda raw: b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstandard.compress(raw),
    "xz": lzma.compress,
    "bzip2": bz2.compress,
}


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_gives_the_same_layer(codec: str, unpack: Unpack, tree: Path) -> None:
    content = os.urandom(300_000) + bytes(300_000)
    archive = tar(Entry(b"a", content))
    outcome = unpack(CODECS[codec](archive))
    assert outcome.diff_id == "sha256:" + hashlib.sha256(archive).hexdigest()
    assert (tree / "a").read_bytes() == content


class Drops(Source):
    """A source that gives a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def read(self, size: int) -> bytes:
        """At most seven bytes."""
        piece, self.content = self.content[: min(size, 7)], self.content[min(size, 7) :]
        return piece


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_do_not_mind_small_reads(codec: str) -> None:
    content = os.urandom(1000) + bytes(5000)
    plain = decompress(Peeked(Drops(CODECS[codec](content))))
    read = b""
    while piece := plain.read(333):
        assert len(piece) <= 333
        read += piece
    assert read == content


FORMATS = ["v7", "ustar", "gnu", "oldgnu", "pax", "posix"]


@pytest.mark.parametrize("style", FORMATS)
def test_what_gnu_tar_packs_is_unpacked_as_it_was(style: str, unpack: Unpack, tree: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    _plant(origin, long_names=style not in ("v7", "ustar"))
    if style == "v7":
        (origin / "fifo").unlink()
    command = ["tar", f"--format={style}", "-C", str(origin), "-cf", "-", "."]
    unpack(subprocess.run(command, check=True, capture_output=True).stdout)
    wanted, made = fingerprint(origin), fingerprint(tree)
    if style not in ("pax", "posix"):
        wanted, made = ({key: _seconds(value) for key, value in found.items()} for found in (wanted, made))
    assert made == wanted


def _seconds(entry: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(
        value // 10**9 if index == 3 and isinstance(value, int) else value for index, value in enumerate(entry)
    )


def _plant(root: Path, *, long_names: bool) -> None:
    (root / "d/e").mkdir(parents=True)
    (root / "d/e/file").write_bytes(os.urandom(300_000))
    (root / "d/empty").touch()
    (root / "ünïcode").write_text("x")
    os.link(root / "d/empty", root / "linked")
    (root / "link").symlink_to("d/e/file")
    (root / "dangling").symlink_to("/nowhere")
    os.mkfifo(root / "fifo", 0o600)
    os.chmod(root / "d", 0o1777)
    os.chown(root / "d/empty", 1234, 5678)
    if long_names:
        deep = root / ("n" * 90) / ("m" * 90)
        deep.mkdir(parents=True)
        (deep / ("o" * 200)).write_text("x")
        (root / "far").symlink_to("t" * 300)


SPARSE = [["gnu", ""], ["pax", "0.0"], ["pax", "0.1"], ["pax", "1.0"]]


@pytest.mark.parametrize(("style", "version"), SPARSE)
def test_sparse_files_stay_sparse(style: str, version: str, unpack: Unpack, tree: Path, tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    with (origin / "sparse").open("wb") as stream:
        for number in range(30):
            stream.seek(number * (1 << 20))
            stream.write(b"%d" % number * 1000)
        stream.truncate(1 << 26)
    flags = [f"--sparse-version={version}"] if version else []
    command = ["tar", f"--format={style}", "--sparse", *flags, "-C", str(origin), "-cf", "-", "sparse"]
    unpack(subprocess.run(command, check=True, capture_output=True).stdout)
    assert (tree / "sparse").read_bytes() == (origin / "sparse").read_bytes()
    assert (tree / "sparse").stat().st_blocks * 512 < 2 << 20
