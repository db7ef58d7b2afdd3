"""Archives out of trees and back: the same tree, also under somebody who changes it meanwhile; `cp`'s way of finding
things.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import stat
import tarfile
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.images import archive
from pier.images.tar_headers import DIRECTORY, FILE, SYMLINK, Header
from pier.images.tar_reader import TarReader
from pier.images.tar_writer import TarWriter
from pier.spec.errors import InvalidParameter, NotFound
from tests.images.conftest import fingerprint
from tests.images.tars import Entry, symlink, tar
from tests.images.test_tar_reader import Bytes
from tests.images.test_unpack import _plant

pytestmark = pytest.mark.root

NAMES = st.binary(min_size=1, max_size=300).filter(lambda name: b"\0" not in name and not name.endswith(b"/"))


@given(
    NAMES,
    st.sampled_from([FILE, DIRECTORY, SYMLINK]),
    st.integers(0, 0o7777),
    st.integers(0, (1 << 32) - 2),
    st.integers(-(1 << 40), 1 << 40),
    st.binary(max_size=1500),
    st.dictionaries(st.sampled_from([b"user.a", b"security.capability"]), st.binary(min_size=1, max_size=30)),
)
def test_what_is_written_is_read_again(
    name: bytes, kind: bytes, mode: int, owner: int, seconds: int, content: bytes, attributes: dict[bytes, bytes]
) -> None:
    header = Header()
    header.name, header.kind, header.mode, header.uid, header.gid = name, kind, mode, owner, owner
    header.mtime_ns, header.xattrs = seconds * 10**9, attributes
    if kind == FILE:
        header.size = len(content)
    elif kind == SYMLINK:
        header.link = b"target" * 40
    blocks: list[bytes] = []
    writer = TarWriter(blocks.append)
    writer.add(header, content)
    writer.end()
    reader = TarReader(Bytes(b"".join(blocks), 1000))
    (read,) = ((found, b"".join(map(bytes, reader.pieces()))) for found in reader)
    for field in ("name", "kind", "mode", "uid", "gid", "size", "mtime_ns", "link", "xattrs"):
        assert getattr(read[0], field) == getattr(header, field), field
    assert read[1] == (content if kind == FILE else b"")


def packed(directory: Path, **settings: object) -> bytes:
    """A directory's archive, by a worker."""

    async def work() -> bytes:
        fd = os.open(directory, os.O_RDONLY)
        try:
            return b"".join([piece async for piece in archive.pack(fd, **settings)])  # type: ignore[arg-type]
        finally:
            os.close(fd)

    return asyncio.run(work())


def extracted(content: bytes, directory: Path, **settings: object) -> None:
    """An archive into a directory, by a worker."""

    async def pieces() -> AsyncIterator[bytes]:
        yield content

    async def work() -> None:
        fd = os.open(directory, os.O_RDONLY)
        try:
            await archive.extract(pieces(), fd, **settings)  # type: ignore[arg-type]
        finally:
            os.close(fd)

    asyncio.run(work())


def below(root: Path) -> list[Path]:
    """Everything in a tree, links not followed."""
    return [Path(directory, name) for directory, names, files in os.walk(root) for name in (*names, *files)]


def test_a_tree_comes_back_as_it_was(tmp_path: Path, tree: Path) -> None:
    origin = tmp_path / "origin"
    _plant(origin, long_names=True)
    os.setxattr(origin / "d/empty", "user.kept", b"x")
    for path in below(origin):
        os.utime(path, (1, 1), follow_symlinks=False)
    extracted(packed(origin, root_entry=True), tree)
    wanted, made = fingerprint(origin), fingerprint(tree)
    assert {key: value for key, value in made.items() if key != "."} == {
        key: value for key, value in wanted.items() if key != "."
    }
    assert os.getxattr(tree / "d/empty", "user.kept") == b"x"


def test_python_reads_our_archives(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    _plant(origin, long_names=True)
    with tarfile.open(fileobj=io.BytesIO(packed(origin))) as found:
        names = sorted(found.getnames())
    assert names == sorted(str(path.relative_to(origin)) for path in below(origin))


def test_one_entry_goes_under_another_name(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    _plant(origin, long_names=False)
    with tarfile.open(fileobj=io.BytesIO(packed(origin, select="d", rename="new"))) as found:
        assert found.getnames() == ["new", "new/e", "new/e/file", "new/empty"]
    with tarfile.open(fileobj=io.BytesIO(packed(origin, select="link"))) as found:
        assert [(entry.name, entry.linkname) for entry in found] == [("link", "d/e/file")]


def test_an_entry_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="no such file"):
        packed(tmp_path, select="nothing")


def test_write_tree_packs_in_this_thread(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 3000)
    out = io.BytesIO()
    fd = os.open(tmp_path, os.O_RDONLY)
    archive.write_tree(fd, out)
    os.close(fd)
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as found:
        assert [(entry.name, entry.size) for entry in found] == [("f", 3000)]


def test_everything_may_be_given_to_one_owner(tree: Path) -> None:
    extracted(tar(Entry(b"f", b"x", uid=5), symlink(b"l", b"f")), tree, owner=(7, 8))
    for name in ("f", "l"):
        status = (tree / name).lstat()
        assert (status.st_uid, status.st_gid) == (7, 8)


def test_files_and_directories_may_be_kept_apart(tree: Path) -> None:
    (tree / "d").mkdir()
    (tree / "f").touch()
    with pytest.raises(InvalidParameter, match="cannot overwrite directory"):
        extracted(tar(Entry(b"d", b"x")), tree, keep_directories=True)
    with pytest.raises(InvalidParameter, match="cannot overwrite non-directory"):
        extracted(tar(Entry(b"f", kind=b"5")), tree, keep_directories=True)
    extracted(tar(Entry(b"d/x", b"1"), Entry(b"f", b"2")), tree, keep_directories=True)
    assert (tree / "d/x").read_bytes() + (tree / "f").read_bytes() == b"12"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root as a container has it, with links that want out."""
    path = tmp_path / "root"
    (path / "etc").mkdir(parents=True)
    (path / "etc/hosts").write_text("hosts")
    (path / "abs").symlink_to("/etc")
    (path / "up").symlink_to("../../../..")
    (path / "rel").symlink_to("etc/hosts")
    (path / "gone").symlink_to("/nowhere")
    return path


def find(root: Path, path: str) -> tuple[str, str, dict[str, object]]:
    """What `locate` gives: where it is below the root, its name, and the stat header."""
    fd = os.open(root, os.O_RDONLY)
    try:
        found = archive.locate(fd, path)
        header = json.loads(base64.b64decode(archive.stat_header(fd, found)))
        where = os.path.relpath(os.readlink(f"/proc/self/fd/{found.directory}"), root)
        os.close(found.directory)
        return os.path.normpath(os.path.join(where, found.base)), found.name, header
    finally:
        os.close(fd)


@pytest.mark.parametrize(
    ("path", "where", "name"),
    [
        ("/etc/hosts", "etc/hosts", "hosts"),
        ("etc/hosts", "etc/hosts", "hosts"),
        ("/abs/hosts", "etc/hosts", "hosts"),
        ("/up/etc/hosts", "etc/hosts", "hosts"),
        ("/../../etc/hosts", "etc/hosts", "hosts"),
        ("/rel", "rel", "rel"),
        ("/abs", "abs", "abs"),
        ("/abs/", "etc", "abs"),
        ("/abs/.", "etc", "."),
        ("/gone", "gone", "gone"),
        ("/", ".", "/"),
        ("", ".", "/"),
    ],
)
def test_things_are_found_as_docker_finds_them(root: Path, path: str, where: str, name: str) -> None:
    assert find(root, path)[:2] == (where, name)


@pytest.mark.parametrize("path", ["/none", "/none/x", "/gone/", "/up/none"])
def test_what_is_not_there_is_not_found(root: Path, path: str) -> None:
    with pytest.raises(NotFound, match=f"^Could not find the file {path}$"):
        find(root, path)


def test_a_file_is_no_directory(root: Path) -> None:
    with pytest.raises(InvalidParameter, match="not a directory"):
        find(root, "/etc/hosts/")


def test_the_stat_header_is_gos(root: Path) -> None:
    os.utime(root / "etc/hosts", ns=(0, 1_700_000_000_120_000_000))
    (root / "etc/hosts").chmod(0o4751)
    assert find(root, "/etc/hosts")[2] == {
        "name": "hosts",
        "size": 5,
        "mode": 0o751 | 1 << 23,
        "mtime": "2023-11-14T22:13:20.12Z",
        "linkTarget": "",
    }
    assert find(root, "/abs")[2]["linkTarget"] == "/etc"
    assert find(root, "/rel")[2]["linkTarget"] == "/etc/hosts"
    assert archive.go_mode(stat.S_IFDIR | 0o1777) == 1 << 31 | 1 << 20 | 0o777
    assert archive.go_mode(stat.S_IFCHR | 0o600) == 1 << 26 | 1 << 21 | 0o600


def test_a_racer_gets_nothing_out_and_nothing_in(tmp_path: Path, canary: Path) -> None:
    """CVE-2018-15664: a directory is exchanged for a link to the canary all the while."""
    root = tmp_path / "container"
    (root / "dir").mkdir(parents=True)
    (root / "dir/own").write_text("own")
    (root / "link").symlink_to(canary)
    done = threading.Event()

    def race() -> None:
        moves = (("dir", "aside"), ("link", "dir"), ("dir", "link"), ("aside", "dir"))
        while not done.is_set():
            for source, target in moves:
                with contextlib.suppress(OSError):  # the extraction may have put something there
                    os.rename(root / source, root / target)

    racer = threading.Thread(target=race)
    racer.start()
    try:
        for _ in range(8):
            _attack(root)
    finally:
        done.set()
        racer.join()


def _attack(root: Path) -> None:
    try:
        for content in (packed(root), packed(root, select="dir")):
            assert b"secret\n" not in content
            with tarfile.open(fileobj=io.BytesIO(content)) as found:
                assert not [entry.name for entry in found if entry.name.endswith("passwd")]
    except InvalidParameter:
        pass
    try:
        extracted(tar(Entry(b"dir/new", b"x")), root)
    except InvalidParameter:
        pass
