"""Volumes, bind mounts and tmpfs by the docker command line. The same on dockerd."""

from pathlib import Path

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


def sh(engine: Engine, script: str, *flags: str) -> str:
    return engine.docker("run", "--rm", *flags, "busybox", "sh", "-c", script).ok()


def test_a_named_volume_keeps_its_content(engine: Engine) -> None:
    sh(engine, "echo kept >/data/f", "-v", "named:/data")
    assert sh(engine, "cat /other/f", "-v", "named:/other") == "kept"
    assert "volume is in use" not in engine.docker("volume", "rm", "named").ok()
    assert "no such volume" in engine.docker("volume", "inspect", "named").stderr.lower()


def test_a_volume_in_use_is_not_removed(engine: Engine) -> None:
    engine.docker("create", "--name", "user-of-volume", "-v", "used:/data", "busybox").ok()
    result = engine.docker("volume", "rm", "used")
    engine.docker("rm", "user-of-volume").ok()
    engine.docker("volume", "rm", "used").ok()
    assert result.code == 1
    assert "volume is in use" in result.stderr


def test_an_empty_volume_gets_the_images_content(engine: Engine) -> None:
    assert "passwd" in sh(engine, "ls /etc", "-v", "copied:/etc").split()
    assert "passwd" in sh(engine, "ls /x", "-v", "copied:/x").split()
    assert sh(engine, "ls /etc", "-v", "not-copied:/etc:nocopy").split() in (
        ["hostname", "hosts", "resolv.conf"],
        ["hostname", "hosts", "mtab", "resolv.conf"],
    )
    engine.docker("volume", "rm", "copied", "not-copied").ok()


def test_a_bind_mount_shows_the_hosts_files(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "from-host").write_text("hello")
    assert sh(engine, "cat /m/from-host; echo back >/m/from-container", "-v", f"{tmp_path}:/m") == "hello"
    assert (tmp_path / "from-container").read_text() == "back\n"


def test_a_read_only_bind_refuses_writes(engine: Engine, tmp_path: Path) -> None:
    assert "Read-only file system" in sh(engine, "touch /m/x 2>&1; true", "-v", f"{tmp_path}:/m:ro")


def test_a_missing_source_is_made_by_v_and_refused_by_mount(engine: Engine, tmp_path: Path) -> None:
    sh(engine, "true", "-v", f"{tmp_path}/made:/m")
    assert (tmp_path / "made").is_dir()
    result = engine.docker("run", "--rm", "--mount", f"type=bind,source={tmp_path}/absent,target=/m", "busybox", "true")
    assert result.code == 125
    assert "bind source path does not exist" in result.stderr
    assert not (tmp_path / "absent").exists()


def test_a_file_can_be_bound(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("one file")
    assert sh(engine, "cat /etc/one", "-v", f"{tmp_path}/f:/etc/one") == "one file"


def test_volumes_from_another_container(engine: Engine) -> None:
    engine.docker("create", "--name", "giver", "-v", "given:/data", "busybox").ok()
    sh(engine, "echo shared >/data/f", "--volumes-from", "giver")
    assert sh(engine, "cat /data/f; touch /data/g 2>&1; true", "--volumes-from", "giver:ro").splitlines()[0] == "shared"
    engine.docker("rm", "giver").ok()
    engine.docker("volume", "rm", "given").ok()


def test_volume_list_and_inspect(engine: Engine) -> None:
    engine.docker("volume", "create", "--label", "only=listed", "listed").ok()
    assert engine.docker("volume", "ls", "-q", "--filter", "label=only=listed").ok() == "listed"
    told = engine.api("GET", "/volumes/listed").ok()
    engine.docker("volume", "rm", "listed").ok()
    assert (told["Driver"], told["Scope"], told["Labels"]) == ("local", "local", {"only": "listed"})
    assert told["Mountpoint"].endswith("/listed/_data")


@pytest.mark.parametrize("target", ["/", "relative", ""])
def test_impossible_targets_are_refused(engine: Engine, target: str) -> None:
    answer = engine.api("POST", "/containers/create", {"Image": "busybox", "HostConfig": {"Binds": [f"vol:{target}"]}})
    assert answer.status in (400, 500)
    assert answer.status == 400 or engine.kind == "dockerd"
