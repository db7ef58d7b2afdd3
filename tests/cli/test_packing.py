"""Files as a stream and back, and archives that want out of their directory."""

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest

from pier.cli.commands.cp import _absolute, _local_target, split
from pier.cli.failure import Failure
from pier.cli.packing import pack
from pier.cli.unpacking import unpack


def tree(root: Path) -> Path:
    (root / "sub").mkdir(parents=True)
    (root / "file").write_text("text")
    (root / "sub" / "big").write_bytes(os.urandom(700_000))
    os.link(root / "file", root / "same")
    (root / "link").symlink_to("/etc/passwd")
    (root / "sub" / "program").write_text("#!/bin/sh\n")
    (root / "sub" / "program").chmod(0o4755)
    return root


def test_a_tree_comes_back_as_it_was(tmp_path: Path) -> None:
    source, target = tree(tmp_path / "source"), tmp_path / "target"
    target.mkdir()
    unpack(pack(str(source), "source", follow=False, keep_owner=False), str(target), "source", "copy", keep_owner=False)
    copy = target / "copy"
    assert (copy / "sub" / "big").read_bytes() == (source / "sub" / "big").read_bytes()
    assert (copy / "link").readlink() == Path("/etc/passwd")
    assert (copy / "file").stat().st_ino == (copy / "same").stat().st_ino
    assert stat.S_IMODE((copy / "sub" / "program").stat().st_mode) == 0o4755


def test_the_stream_is_a_tar_that_others_read(tmp_path: Path) -> None:
    source = tree(tmp_path / "source")
    data = b"".join(pack(str(source), "x", follow=False, keep_owner=False))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert sorted(archive.getnames()) == ["x", "x/file", "x/link", "x/same", "x/sub", "x/sub/big", "x/sub/program"]
        assert archive.getmember("x/same").islnk()


def test_a_link_is_followed_only_where_asked(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("contents")
    link = tmp_path / "link"
    link.symlink_to("real")
    for follow, kind in ((False, tarfile.SYMTYPE), (True, tarfile.REGTYPE)):
        data = b"".join(pack(str(link), "name", follow=follow, keep_owner=False))
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            assert archive.getmember("name").type == kind


def hostile(*members: tarfile.TarInfo) -> list[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"bad") if member.isreg() else None)
    return [buffer.getvalue()]


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    info.size = 3 if kind == tarfile.REGTYPE else 0
    return info


@pytest.mark.parametrize(
    "members",
    [
        (member("x/../../canary"),),
        (member("x/out", tarfile.SYMTYPE, "../.."), member("x/out/canary")),
        (member("x/out", tarfile.SYMTYPE, "/tmp"), member("x/out/pier-canary")),
        (member("x/hard", tarfile.LNKTYPE, "../../canary"),),
    ],
    ids=["dots", "relative link", "absolute link", "hard link"],
)
def test_an_archive_cannot_write_outside(tmp_path: Path, members: tuple[tarfile.TarInfo, ...]) -> None:
    target = tmp_path / "a" / "target"
    target.mkdir(parents=True)
    canary = tmp_path / "canary"
    canary.write_text("alive")
    with pytest.raises(Failure):
        unpack(hostile(*members), str(target), "x", "x", keep_owner=False)
    assert canary.read_text() == "alive"
    assert not Path("/tmp/pier-canary").exists()


def test_an_absolute_name_lands_inside(tmp_path: Path) -> None:
    unpack(hostile(member("/x/file")), str(tmp_path), "x", "x", keep_owner=False)
    assert (tmp_path / "x" / "file").read_text() == "bad"


def test_a_broken_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failure):
        unpack([b"no archive at all" * 100], str(tmp_path), "x", "x", keep_owner=False)


@pytest.mark.parametrize(
    ("argument", "parts"),
    [
        ("c:/a", ("c", "/a")),
        ("/a:b", ("", "/a:b")),
        ("./a:b", ("", "./a:b")),
        ("a", ("", "a")),
        ("-", ("", "-")),
        ("c:", ("c", "")),
    ],
)
def test_container_and_path_are_told_apart(argument: str, parts: tuple[str, str]) -> None:
    assert split(argument) == parts


def test_the_ending_of_a_path_is_kept() -> None:
    assert [_absolute(path) for path in ("a", "/a/", "a/../b/.", "/")] == ["/a", "/a/", "/b/.", "/"]


def test_where_a_copy_lands_follows_dockers_rules(tmp_path: Path) -> None:
    directory, file = {"name": "src", "mode": 1 << 31}, {"name": "src", "mode": 0o644}
    here = str(tmp_path)
    assert _local_target("/src", directory, here) == (here, "src")
    assert _local_target("/src/.", directory, here) == (here, "")
    assert _local_target("/src", directory, f"{here}/new") == (here, "new")
    assert _local_target("/src", file, f"{here}/new") == (here, "new")
    with pytest.raises(Failure, match="no such directory"):
        _local_target("/src", file, f"{here}/new/")
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="cannot copy directory"):
        _local_target("/src", directory, f"{here}/file")
