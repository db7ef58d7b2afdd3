"""Logins kept in config.json and by helper programs, as docker's client keeps and finds them."""

import json
import os
from pathlib import Path

import pytest

from pier.client.address import ssh_command
from pier.client.contexts import read_configuration
from pier.client.credentials import lookup
from pier.client.logins import Login, Logins
from pier.spec.errors import InvalidParameter, SystemFailure

HELPER = """#!/bin/sh
case "$1" in
store) cat > "$0.$1" ;;
erase) cat > "$0.$1"; [ "$(cat "$0.$1")" != broken ] || { echo sorry; exit 1; } ;;
esac
"""


def test_a_login_is_kept_beside_what_the_file_has_and_read_by_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"detachKeys": "ctrl-x", "auths": {"a": {"auth": "eDp5"}}}')
    assert Logins(str(tmp_path)).store("b", Login("me", "pass:word"))
    assert not Logins(str(tmp_path)).store("b", Login("me", "pass:word"))
    kept = json.loads((tmp_path / "config.json").read_text())
    assert kept == {"detachKeys": "ctrl-x", "auths": {"a": {"auth": "eDp5"}, "b": {"auth": "bWU6cGFzczp3b3Jk"}}}
    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600
    assert lookup(read_configuration(str(tmp_path)), "b") == {"username": "me", "password": "pass:word"}
    assert os.listdir(tmp_path) == ["config.json"]


def test_an_identity_token_stands_for_the_password(tmp_path: Path) -> None:
    Logins(str(tmp_path)).store("b", Login("me", "", "t0k"))
    assert lookup(read_configuration(str(tmp_path)), "b") == {"identitytoken": "t0k"}


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text("{}")
    (tmp_path / "config.json").symlink_to("real.json")
    Logins(str(tmp_path)).store("b", Login("me", "x"))
    assert (tmp_path / "config.json").is_symlink()
    assert "auths" in json.loads((tmp_path / "real.json").read_text())


def test_a_logout_takes_the_login_away(tmp_path: Path) -> None:
    logins = Logins(str(tmp_path))
    logins.store("b", Login("me", "x"))
    assert Logins(str(tmp_path)).erase(["b", "https://b"]) == []
    assert json.loads((tmp_path / "config.json").read_text()) == {"auths": {}}


def test_a_helper_keeps_the_secret_and_the_file_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(HELPER)
    helper.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (tmp_path / "config.json").write_text('{"credsStore": "test"}')
    assert not Logins(str(tmp_path)).store("b", Login("me", "secret"))
    told = json.loads((tmp_path / "docker-credential-test.store").read_text())
    assert told == {"ServerURL": "b", "Username": "me", "Secret": "secret"}
    assert json.loads((tmp_path / "config.json").read_text())["auths"] == {"b": {}}
    Logins(str(tmp_path)).store("c", Login("me", "", "t0k"))
    told = json.loads((tmp_path / "docker-credential-test.store").read_text())
    assert told == {"ServerURL": "c", "Username": "<token>", "Secret": "t0k"}
    assert Logins(str(tmp_path)).erase(["b"]) == []
    failures = Logins(str(tmp_path)).erase(["broken"])
    assert len(failures) == 1
    assert "sorry" in failures[0]


@pytest.mark.parametrize("helper", ["absent", "../../bin/sh"])
def test_a_helper_that_is_none_is_an_error(tmp_path: Path, helper: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"credHelpers": {"b": helper}}))
    with pytest.raises(SystemFailure, match="error storing credentials"):
        Logins(str(tmp_path)).store("b", Login("me", "x"))


def test_a_daemon_behind_ssh_is_reached_as_docker_does_it() -> None:
    command = ssh_command("me@far:22/run/x y.sock")
    assert command[:-1] == ["ssh", "-o", "ConnectTimeout=30", "-T", "-l", "me", "-p", "22", "--", "far"]
    assert "exec pier --host 'unix:///run/x y.sock' system dial-stdio" in command[-1]
    assert ssh_command("[::1]:2222")[4:8] == ["-p", "2222", "--", "::1"]


@pytest.mark.parametrize("target", ["", "-oProxyCommand=x", "me@-x", "-l@far", "far:x", "me:secret@far", "@"])
def test_what_ssh_could_take_for_a_flag_is_refused(target: str) -> None:
    with pytest.raises(InvalidParameter):
        ssh_command(target)
