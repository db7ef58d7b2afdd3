"""`docker exec`: environment, identity, streams, exit codes. The same on dockerd."""

import socket
from collections.abc import Iterator

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


@pytest.fixture(scope="module")
def running(engine: Engine) -> Iterator[str]:
    engine.docker(
        "run", "-d", "--name", "host-of-execs", "-e", "FROM_RUN=1", "-w", "/tmp", "busybox", "sleep", "100000"
    ).ok()
    yield "host-of-execs"
    engine.docker("rm", "-f", "host-of-execs").ok()


def test_it_joins_the_namespaces_and_sees_the_first_process(engine: Engine, running: str) -> None:
    assert engine.docker("exec", running, "sh", "-c", "cat /proc/1/comm; hostname").ok().splitlines()[0] == "sleep"


def test_environment_and_directory_are_the_containers(engine: Engine, running: str) -> None:
    assert engine.docker("exec", "-e", "MORE=2", running, "sh", "-c", "echo $FROM_RUN $MORE; pwd").ok() == "1 2\n/tmp"
    assert engine.docker("exec", "-w", "/bin", running, "pwd").ok() == "/bin"


@pytest.mark.parametrize("code", [0, 1, 42])
def test_its_exit_code_is_the_clients(engine: Engine, running: str, code: int) -> None:
    assert engine.docker("exec", running, "sh", "-c", f"exit {code}").code == code


def test_streams_are_apart_and_input_arrives(engine: Engine, running: str) -> None:
    result = engine.docker("exec", "-i", running, "sh", "-c", "cat; echo err >&2", stdin="in")
    assert (result.stdout, result.stderr) == ("in", "err\n")


def test_user_and_privileges(engine: Engine, running: str) -> None:
    assert engine.docker("exec", "-u", "daemon", running, "id", "-u").ok() == "1"
    effective = engine.docker("exec", "-u", "1000", running, "grep", "CapEff", "/proc/self/status").ok()
    assert effective == "CapEff:\t0000000000000000"
    assert engine.docker("exec", running, "grep", "CapInh", "/proc/self/status").ok() == "CapInh:\t0000000000000000"


def test_a_missing_program_says_so_and_leaves_the_container_alone(engine: Engine, running: str) -> None:
    result = engine.docker("exec", running, "no-such-program")
    assert result.code in (126, 127)  # which of them changed between Docker's versions
    assert "executable file not found in $PATH" in result.stdout + result.stderr
    assert engine.docker("exec", running, "echo", "fine").ok() == "fine"


def test_a_stopped_container_refuses(engine: Engine) -> None:
    container = engine.docker("create", "--name", "not-running", "busybox", "true").ok()
    result = engine.docker("exec", "not-running", "true")
    engine.docker("rm", "not-running").ok()
    assert result.code == 1
    assert "not running" in result.stderr
    assert container in result.stderr or "not-running is" in result.stderr


def test_detached_it_runs_on(engine: Engine, running: str) -> None:
    engine.docker("exec", "-d", running, "sh", "-c", "mkfifo /tmp/p; echo here >/tmp/p").ok()
    assert engine.docker("exec", running, "sh", "-c", "until [ -p /tmp/p ]; do :; done; cat /tmp/p").ok() == "here"


def test_inspect_tells_pid_and_code(engine: Engine, running: str) -> None:
    created = engine.api(
        "POST", f"/containers/{running}/exec", {"Cmd": ["sh", "-c", "exit 3"], "AttachStdout": True}
    ).ok()["Id"]
    before = engine.api("GET", f"/exec/{created}/json").ok()
    assert (before["Running"], before["ExitCode"], before["ProcessConfig"]["entrypoint"]) == (False, None, "sh")
    engine.api("POST", f"/exec/{created}/start", {"Detach": False, "Tty": False}).ok()
    after = engine.api("GET", f"/exec/{created}/json").ok()
    assert (after["Running"], after["ExitCode"]) == (False, 3)


def test_its_terminal_is_resized_as_soon_as_its_connection_is_there(engine: Engine, running: str) -> None:
    wanted = {"AttachStdin": True, "AttachStdout": True, "Tty": True, "Cmd": ["sh", "-c", "read; stty size"]}
    for rows in range(20, 25):
        made = engine.api("POST", f"/containers/{running}/exec", wanted).ok()["Id"]
        body = b'{"Tty": true}'
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(60)
            client.connect(engine.socket)
            client.sendall(
                b"POST /v1.41/exec/%b/start HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Upgrade: tcp\r\nConnection: Upgrade\r\nContent-Length: %d\r\n\r\n%b"
                % (made.encode(), len(body), body)
            )
            assert b" 101 " in client.recv(4096)
            engine.api("POST", f"/exec/{made}/resize?h={rows}&w=77").ok()
            client.sendall(b"\n")
            seen = b""
            while piece := client.recv(4096):
                seen += piece
        assert f"{rows} 77".encode() in seen


def test_a_terminal_that_is_gone_has_no_size(engine: Engine, running: str) -> None:
    made = engine.api("POST", f"/containers/{running}/exec", {"Tty": True, "Cmd": ["true"]}).ok()["Id"]
    engine.api("POST", f"/exec/{made}/start", {"Detach": True, "Tty": True}).ok()
    wait_until(lambda: not engine.api("GET", f"/exec/{made}/json").ok()["Running"], "the exec ends")
    assert engine.api("POST", f"/exec/{made}/resize?h=20&w=20").status >= 400
