"""A real daemon's life: start, second daemons, signals, reload, socket activation, and its end without containers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pier import __version__
from tests.support.api import ask
from tests.support.commands import wait_until
from tests.support.pierd import SOURCE, Pierd

pytestmark = pytest.mark.root


def pierd(*words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    command = [sys.executable, "-m", "pier.daemon.main", *words]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **(env or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)


def test_version_and_help_need_nothing_else() -> None:
    assert pierd("--version").stdout == f"Pier version {__version__}\n"
    answer = pierd("--help")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "--data-root string" in answer.stdout


def test_an_unknown_flag_is_125_and_two_lines() -> None:
    answer = pierd("--no-such-flag")
    assert (answer.returncode, answer.stderr) == (125, "unknown flag: --no-such-flag\nSee 'pierd --help'.\n")


def test_a_flag_that_pier_has_not_is_refused() -> None:
    answer = pierd("--selinux-enabled")
    assert answer.returncode == 125
    assert answer.stderr.startswith("--selinux-enabled is not supported: ")


def test_validate_checks_the_file_and_starts_nothing(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text('{"debug": true}')
    right = pierd("--validate", "--config-file", str(file))
    assert (right.returncode, right.stderr) == (0, "configuration OK\n")
    file.write_text('{"debug": 3}')
    wrong = pierd("--validate", "--config-file", str(file))
    assert wrong.returncode == 1
    assert "debug: cannot unmarshal number" in wrong.stderr
    assert "Traceback" not in wrong.stderr


def test_a_second_daemon_on_the_same_root_is_refused(pierd: Pierd) -> None:
    command = [word.replace(pierd.socket, pierd.socket + "2") for word in pierd.command()]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, env=pierd.environment(), check=False)
    assert second.returncode == 1
    assert f"data root {pierd.data_root} is already used by process {pierd.pid}" in second.stderr
    assert "Traceback" not in second.stderr
    assert pierd.answers()


def test_a_second_daemon_on_the_same_exec_root_or_socket_is_refused(pierd: Pierd, tmp_path: Path) -> None:
    def start(*changes: tuple[str, str]) -> str:
        command = list(pierd.command())
        for old, new in changes:
            command = [new if word == old else word for word in command]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=pierd.environment(), check=False)
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    roots = (str(pierd.data_root), str(tmp_path / "d")), (str(pierd.root / "pid"), str(tmp_path / "pid"))
    assert f"data root {pierd.exec_root} is already used" in start(*roots)
    other = (str(pierd.exec_root), str(tmp_path / "e"))
    assert "another daemon listens there" in start(*roots, other)
    assert pierd.answers()


@pytest.mark.docker_cli
def test_two_daemons_run_side_by_side(make_pierd: Callable[..., Pierd]) -> None:
    first, second = make_pierd(), make_pierd()
    for daemon in (first, second):
        daemon.docker("run", "-d", "--name", "same", "-p", "127.0.0.1::80", "busybox", "sleep", "1000").ok()
    addresses = "{{.Id}} {{.NetworkSettings.IPAddress}}"
    seen = [daemon.docker("inspect", "-f", addresses, "same").ok().split() for daemon in (first, second)]
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]
    first.docker("rm", "-f", "same").ok()
    first.stop()
    assert second.docker("exec", "same", "echo", "still here").ok() == "still here"


def test_a_root_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    answer = pierd("--data-root", str(file / "root"), "-H", f"unix://{tmp_path}/s", "--exec-root", str(tmp_path / "e"))
    assert answer.returncode == 1
    assert f"failed to start daemon: cannot use data root {file}/root: not a directory" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_sigterm_ends_the_daemon_and_leaves_containers(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd()
    container = daemon.docker("run", "-d", "busybox", "sleep", "600").ok()
    host_pid = daemon.api("GET", f"/containers/{container}/json").ok()["State"]["Pid"]
    assert daemon.stop() == 0
    assert not Path(daemon.socket).exists()
    assert not (daemon.root / "pid").exists()
    assert Path(f"/proc/{host_pid}/comm").read_text() == "sleep\n"
    daemon.start()
    state = daemon.api("GET", f"/containers/{container}/json").ok()["State"]
    assert (state["Status"], state["Pid"]) == ("running", host_pid)


def test_shutdown_containers_is_dockers_old_way(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd("--shutdown-containers", "--shutdown-timeout=1")
    container = daemon.docker("run", "-d", "busybox", "sleep", "600").ok()
    assert daemon.stop() == 0
    daemon.start()
    assert daemon.api("GET", f"/containers/{container}/json").ok()["State"]["Status"] == "exited"


def test_an_interrupt_ends_the_daemon_with_clients_connected(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd(image=False)
    with socket.socket(socket.AF_UNIX) as idle, socket.socket(socket.AF_UNIX) as watching:
        for client in (idle, watching):
            client.settimeout(20)
            client.connect(daemon.socket)
        watching.sendall(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
        assert watching.recv(4096).startswith(b"HTTP/1.1 200 OK")
        assert daemon.stop(signal.SIGINT, seconds=30) == 0
        assert watching.recv(4096) == b""
    daemon.start()


def test_a_reload_takes_labels_and_mirrors_and_tells_of_it(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd(image=False, start=False)
    file = daemon.root / "pierd.json"
    file.write_text(json.dumps({"labels": ["rack=1"]}))
    daemon.start()
    assert daemon.api("GET", "/info").ok()["Labels"] == ["rack=1"]
    file.write_text(json.dumps({"labels": ["rack=2"], "registry-mirrors": ["https://m.example"], "debug": True}))
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: daemon.api("GET", "/info").ok()["Labels"] == ["rack=2"], "the reload shows")
    info = daemon.api("GET", "/info").ok()
    assert info["RegistryConfig"]["Mirrors"] == ["https://m.example/"]
    assert info["Debug"] is True
    filters = "filters=%7B%22event%22%3A%5B%22reload%22%5D%7D"
    events = daemon.api("GET", f"/events?since=1&until={int(time.time()) + 1}&{filters}")
    assert b'"Action":"reload"' in events.body


def test_a_broken_file_leaves_a_running_daemon_as_it_was(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd(image=False)
    (daemon.root / "pierd.json").write_text("{")
    os.kill(daemon.pid, signal.SIGHUP)
    wait_until(lambda: "Error reloading" in daemon.log(), "the error is logged")
    assert daemon.answers()
    (daemon.root / "pierd.json").write_text("{}")


def test_systemd_passes_the_socket_and_is_told_when_it_is_served(make_pierd: Callable[..., Pierd]) -> None:
    daemon = make_pierd(image=False, start=False)
    command = daemon.command()
    command[command.index("-H") + 1] = "fd://"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify, socket.socket(socket.AF_UNIX) as listener:
        notify.bind(str(daemon.root / "notify"))
        notify.settimeout(30)
        listener.bind(daemon.socket)
        listener.listen()
        launcher = (
            "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ['LISTEN_PID'] = str(os.getpid()); "
            "os.environ['LISTEN_FDS'] = '1'; os.execv(sys.executable, sys.argv[2:])"
        )
        environment = {**daemon.environment(), "NOTIFY_SOCKET": str(daemon.root / "notify")}
        descriptor = listener.fileno()
        with daemon.log_path.open("ab") as log:
            daemon.process = subprocess.Popen(
                [sys.executable, "-c", launcher, str(descriptor), *command],
                env=environment,
                pass_fds=(descriptor,),
                stderr=log,
            )
        assert notify.recv(100) == b"READY=1"
        assert ask(daemon.socket, "GET", "/_ping").body == b"OK"
        daemon.process.send_signal(signal.SIGHUP)
        assert notify.recv(100).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert notify.recv(100) == b"READY=1"
        daemon.process.send_signal(signal.SIGTERM)
        assert notify.recv(100) == b"STOPPING=1"
        assert daemon.process.wait(60) == 0
        daemon.process = None
    assert Path(daemon.socket).exists(), "a passed socket's file is systemd's"


def test_loopback_tcp_is_served(make_pierd: Callable[..., Pierd]) -> None:
    own = os.getpid()
    host = f"tcp://127.61.{own >> 8 & 255}.{own & 255}:2375"  # an address that no other test has
    daemon = make_pierd("-H", host, image=False)
    environment = {**daemon.client_environment(), "DOCKER_HOST": host}
    done = subprocess.run(
        ["docker", "version"], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    assert "Server: Pier" in done.stdout
