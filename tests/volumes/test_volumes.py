"""Volumes of the local driver on a real file system."""

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pier.spec.errors import Conflict, InvalidParameter, NotFound, SystemFailure
from pier.store.records import Records
from pier.volumes.volumes import ANONYMOUS_LABEL, Volumes


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    store = Records.open(tmp_path / "records.sqlite")
    yield store
    store.close()


@pytest.fixture
def make_volumes(records: Records, tmp_path: Path) -> Callable[[], Volumes]:
    def make() -> Volumes:
        return Volumes(
            records,
            tmp_path / "volumes",
            now=lambda: "2026-01-02T03:04:05Z",
            random_hex=lambda digits: secrets.token_hex(digits)[:digits],
        )

    return make


@pytest.fixture
def volumes(make_volumes: Callable[[], Volumes]) -> Volumes:
    return make_volumes()


def test_a_volume_is_made_once_and_found_again(volumes: Volumes, make_volumes: Callable[[], Volumes]) -> None:
    volume, new = volumes.create("data", labels={"a": "b"})
    assert new
    assert volumes.create("data", labels={"a": "c"}) == (volume, False)
    assert volumes.path("data").is_dir()
    assert volumes.path("data").stat().st_mode & 0o777 == 0o755
    assert make_volumes().find("data") == volume


def test_an_anonymous_volume_has_64_digits_and_dockers_label(volumes: Volumes) -> None:
    volume, _ = volumes.create()
    assert len(volume.name) == 64
    assert volume.anonymous
    assert volume.labels == {ANONYMOUS_LABEL: ""}


def test_a_volume_is_removed_with_its_content(volumes: Volumes, tmp_path: Path) -> None:
    volumes.create("data")
    (volumes.path("data") / "deep" / "er").mkdir(parents=True)
    (volumes.path("data") / "link").symlink_to(tmp_path)
    volumes.remove("data")
    assert os.listdir(tmp_path / "volumes") == []
    with pytest.raises(NotFound, match="get data: no such volume"):
        volumes.find("data")
    with pytest.raises(NotFound, match="get data: no such volume"):
        volumes.remove("data")
    volumes.remove("data", force=True)


def test_a_volume_in_use_stays(volumes: Volumes) -> None:
    volumes.create("data")
    with pytest.raises(Conflict, match=r"remove data: volume is in use - \[abc, def\]"):
        volumes.remove("data", users=lambda: ("abc", "def"))
    assert volumes.path("data").is_dir()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a", "create a: volume name is too short, names should be at least two alphanumeric characters"),
        ("a/b", 'create a/b: "a/b" includes invalid characters for a local volume name, only'),
        ("../x", "includes invalid characters"),
        ("-x", "includes invalid characters"),
        ("x" * 300, "includes invalid characters"),
    ],
)
def test_bad_names_are_refused_in_dockers_words(volumes: Volumes, name: str, words: str) -> None:
    with pytest.raises(InvalidParameter, match=words):
        volumes.create(name)
    assert volumes.list() == ()


def test_another_driver_is_refused_by_name(volumes: Volumes) -> None:
    with pytest.raises(NotFound, match='error looking up volume plugin nope: plugin "nope" not found'):
        volumes.create("data", "nope")


def test_what_a_crash_left_half_removed_goes_at_the_next_start(
    volumes: Volumes, make_volumes: Callable[[], Volumes], tmp_path: Path
) -> None:
    volumes.create("data")
    (tmp_path / "volumes" / ".removed-0123456789abcdef" / "_data").mkdir(parents=True)
    make_volumes()
    assert os.listdir(tmp_path / "volumes") == ["data"]


def test_usage_counts_hard_links_once(volumes: Volumes) -> None:
    volumes.create("data")
    path = volumes.path("data")
    (path / "a").write_bytes(b"x" * 1000)
    os.link(path / "a", path / "b")
    assert volumes.usage("data") == 1000


@pytest.mark.root
def test_a_volume_with_options_is_mounted_while_it_is_held(volumes: Volumes) -> None:
    volumes.create("ram", options={"type": "tmpfs", "device": "tmpfs", "o": "size=1m,uid=1234"})
    assert not os.path.ismount(volumes.path("ram"))
    path = volumes.acquire("ram", "one")
    volumes.acquire("ram", "two")
    assert os.path.ismount(path)
    assert path.stat().st_uid == 1234
    volumes.release("ram", "one")
    assert os.path.ismount(path)
    with pytest.raises(Conflict, match=r"volume is in use - \[two\]"):
        volumes.remove("ram")
    volumes.release("ram", "two")
    volumes.release("ram", "two")
    assert not os.path.ismount(path)
    volumes.remove("ram")


@pytest.mark.root
def test_a_bind_volume_shows_its_device(volumes: Volumes, tmp_path: Path) -> None:
    source = tmp_path / "with space"
    source.mkdir()
    (source / "file").write_text("there")
    volumes.create("bound", options={"type": "none", "device": str(source), "o": "bind,ro"})
    path = volumes.acquire("bound", "one")
    assert (path / "file").read_text() == "there"
    with pytest.raises(OSError, match="Read-only"):
        (path / "new").write_text("x")
    volumes.release("bound", "one")
    assert list(path.iterdir()) == []
    volumes.remove("bound")
    assert (source / "file").exists()


@pytest.mark.root
def test_mounts_of_a_killed_daemon_are_taken_over_or_away(
    volumes: Volumes, make_volumes: Callable[[], Volumes]
) -> None:
    for name in ("held", "left"):
        volumes.create(name, options={"type": "tmpfs", "device": "tmpfs"})
        volumes.acquire(name, "one")
    later = make_volumes()
    later.restore({"held": ["one"]})
    assert os.path.ismount(later.path("held"))
    assert not os.path.ismount(later.path("left"))
    later.release("held", "one")
    assert not os.path.ismount(later.path("held"))


@pytest.mark.root
def test_a_mount_that_fails_says_why_and_leaves_nothing(volumes: Volumes) -> None:
    volumes.create("bad", options={"type": "ext4", "device": "/dev/nothing-here"})
    with pytest.raises(SystemFailure, match=r"failed to mount local volume: mount /dev/nothing-here:.*no such file"):
        volumes.acquire("bad", "one")
    volumes.remove("bad")
