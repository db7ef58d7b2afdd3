"""Sockets of the daemon: modes, stale files, live ones, and those that systemd passes."""

import os
import socket
import stat
from pathlib import Path

import pytest

from pier.daemon import sockets
from pier.daemon.hosts import ActivatedHost, TcpHost, UnixHost
from pier.daemon.pidfile import PidFile
from pier.spec.errors import Conflict, InvalidParameter


@pytest.mark.root
def test_a_socket_file_is_0660_and_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "below" / "s.sock"
    listener = sockets.open_unix(path, 4711)
    status = path.lstat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o660, 0, 4711)
    sockets.close_all([listener])
    assert not path.exists()


@pytest.mark.root
def test_a_stale_file_is_replaced_and_a_live_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    listener = sockets.open_unix(path, 0)
    listener.socket.listen()
    with pytest.raises(Conflict, match="another daemon listens there"):
        sockets.open_unix(path, 0)
    sockets.close_all([listener])


def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    path.write_text("precious")
    with pytest.raises(Conflict, match="a file that is no socket"):
        sockets.open_unix(path, 0)
    assert path.read_text() == "precious"


@pytest.mark.root
def test_a_default_host_yields_to_its_owner(tmp_path: Path) -> None:
    owned, free = tmp_path / "docker.sock", tmp_path / "pier.sock"
    with socket.socket(socket.AF_UNIX) as owner:
        owner.bind(str(owned))
        owner.listen()
        opened = sockets.open_all([UnixHost(free), UnixHost(owned, yields=True)], "root", group_is_given=True)
        assert [listener.path for listener in opened] == [free]
        sockets.close_all(opened)
        with pytest.raises(Conflict):
            sockets.open_all([UnixHost(free), UnixHost(owned)], "root", group_is_given=True)
    assert not free.exists()


def test_a_port_in_use_is_a_conflict() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(Conflict, match=f"listen tcp 127.0.0.1:{port}: bind: address already in use"):
            sockets.open_tcp(TcpHost("127.0.0.1", port))


def test_an_unknown_group_matters_only_when_it_is_given(tmp_path: Path) -> None:
    with pytest.raises(InvalidParameter, match="group no-such-group not found"):
        sockets.open_all([UnixHost(tmp_path / "s")], "no-such-group", group_is_given=True)


def test_nothing_passed_is_said_clearly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LISTEN_PID", str(os.getpid() + 1))
    monkeypatch.setenv("LISTEN_FDS", "1")
    with pytest.raises(InvalidParameter, match="no sockets found via socket activation"):
        sockets.open_all([ActivatedHost()], "root", group_is_given=True)
    assert "LISTEN_FDS" not in os.environ


def test_a_pid_file_of_a_dead_daemon_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("999999999")
    pidfile = PidFile(path)
    assert path.read_text() == str(os.getpid())
    pidfile.remove()
    assert not path.exists()


def test_a_pid_file_of_another_program_is_stale(tmp_path: Path) -> None:
    path = tmp_path / "pid"
    path.write_text("1")
    PidFile(path).remove()
    assert not path.exists()
