"""What a fresh volume gets from the image, and what it never gets."""

import os
import stat
from pathlib import Path

import pytest

from pier.volumes import merged
from pier.volumes.copyup import copy_up
from pier.volumes.merged import merged_root

pytestmark = pytest.mark.root


def filled(layers: list[Path], path: str, target: Path) -> bool:
    target.mkdir(exist_ok=True)
    with merged_root(layers) as root:
        return copy_up(root, path, target)


def layer(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def test_everything_is_copied_as_it_is(tmp_path: Path) -> None:
    image = layer(tmp_path, "image")
    data = image / "data"
    (data / "inner").mkdir(parents=True)
    (data / "inner" / "program").write_bytes(b"#!" * 5000)
    os.chown(data / "inner" / "program", 12, 34)
    (data / "inner" / "program").chmod(0o4755)
    os.setxattr(data / "inner" / "program", "user.note", b"kept")
    os.link(data / "inner" / "program", data / "again")
    (data / "link").symlink_to("/etc/shadow")
    os.mkfifo(data / "pipe")
    os.mknod(data / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.utime(data / "inner", ns=(0, 1_000_000_007))
    os.chown(data, 56, 78)
    data.chmod(0o1770)
    target = tmp_path / "volume"
    assert filled([image], "/data", target)
    program = target / "inner" / "program"
    status = program.stat()
    assert program.read_bytes() == b"#!" * 5000
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o4755)
    assert os.getxattr(program, "user.note") == b"kept"
    assert (target / "again").stat().st_ino == status.st_ino
    assert os.readlink(target / "link") == "/etc/shadow"
    assert stat.S_ISFIFO((target / "pipe").stat().st_mode)
    assert (target / "null").stat().st_rdev == os.makedev(1, 3)
    assert (target / "inner").stat().st_mtime_ns == 1_000_000_007
    top = target.stat()
    assert (top.st_uid, top.st_gid, stat.S_IMODE(top.st_mode)) == (56, 78, 0o1770)


def test_an_empty_directory_gives_its_owner_and_mode(tmp_path: Path) -> None:
    image = layer(tmp_path, "image")
    (image / "data").mkdir()
    os.chown(image / "data", 12, 34)
    assert filled([image], "/data", tmp_path / "volume")
    assert (tmp_path / "volume").stat().st_uid == 12


@pytest.mark.parametrize("path", ["/nothing", "/file", "/file/below"])
def test_where_the_image_has_no_directory_nothing_is_done(tmp_path: Path, path: str) -> None:
    image = layer(tmp_path, "image")
    (image / "file").write_text("x")
    assert not filled([image], path, tmp_path / "volume")
    assert list((tmp_path / "volume").iterdir()) == []


def test_a_volume_with_content_stays_as_it_is(tmp_path: Path) -> None:
    image = layer(tmp_path, "image")
    (image / "data").mkdir()
    (image / "data" / "new").write_text("x")
    target = layer(tmp_path, "volume")
    (target / "old").write_text("y")
    assert not filled([image], "/data", target)
    assert os.listdir(target) == ["old"]


@pytest.mark.parametrize("path", ["/out", "/../../secret", "/out/../secret", "/deep/out"])
def test_no_path_leads_to_the_hosts_files(tmp_path: Path, path: str) -> None:
    """CVE-2022-23648: links and `..` of an image stay inside it."""
    secret = layer(tmp_path, "secret")
    (secret / "key").write_text("secret")
    image = layer(tmp_path, "image")
    (image / "out").symlink_to(secret)
    (image / "deep").mkdir()
    (image / "deep" / "out").symlink_to("../../secret")
    assert not filled([image], path, tmp_path / "volume")
    assert list((tmp_path / "volume").iterdir()) == []


def test_a_link_inside_the_image_is_followed(tmp_path: Path) -> None:
    image = layer(tmp_path, "image")
    (image / "real").mkdir()
    (image / "real" / "file").write_text("x")
    (image / "data").symlink_to("/real")
    assert filled([image], "/data", tmp_path / "volume")
    assert (tmp_path / "volume" / "file").read_text() == "x"


@pytest.mark.parametrize("old_kernel", [False, True])
@pytest.mark.parametrize("count", [2, 5, 120])
def test_layers_are_merged_with_their_deletions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, old_kernel: bool
) -> None:
    if old_kernel:
        monkeypatch.setattr(merged, "_one_by_one", refuse)
    layers = [layer(tmp_path, f"layer{number}") for number in range(count)]
    for number, each in enumerate(layers):
        (each / "data").mkdir()
        (each / "data" / f"file{number}").write_text(str(number))
        (each / "data" / "same").write_text(str(number))
    os.mknod(layers[-1] / "data" / "file0", stat.S_IFCHR, 0)
    before = os.getcwd()
    assert filled(layers, "/data", tmp_path / "volume")
    names = {f"file{number}" for number in range(1, count)} | {"same"}
    assert set(os.listdir(tmp_path / "volume")) == names
    assert (tmp_path / "volume" / "same").read_text() == str(count - 1)
    assert os.getcwd() == before


def refuse(layers: object) -> int:
    """What a kernel before 6.7 says to `lowerdir+`."""
    raise OSError(22, "Invalid argument")


def test_a_broken_copy_leaves_the_volume_empty_for_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = layer(tmp_path, "image")
    (image / "data").mkdir()
    for number in range(3):
        (image / "data" / str(number)).write_text("x")
    with monkeypatch.context() as patch:
        patch.setattr(os, "sendfile", full)
        with pytest.raises(OSError, match="No space"):
            filled([image], "/data", tmp_path / "volume")
    assert list((tmp_path / "volume").iterdir()) == []
    assert filled([image], "/data", tmp_path / "volume")
    assert sorted(os.listdir(tmp_path / "volume")) == ["0", "1", "2"]
    assert {path.name for path in tmp_path.iterdir()} == {"image", "volume"}


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")
