"""The systemd units of packaging/, with containers that run on through restarts, kill -9 and stops of the service."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.api import ask
from tests.support.commands import Result, run, wait_until
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.docker_cli]

ROOT = Path(__file__).parents[2]
UNITS = Path("/etc/systemd/system")
SOCKET = "/run/pier/pier.sock"
HOST = {
    "DOCKER_HOST": f"unix://{SOCKET}",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
}


def docker(*arguments: str) -> Result:
    return run(["docker", *arguments], environment=HOST, timeout=300)


def systemctl(*arguments: str) -> str:
    return run(["systemctl", *arguments], timeout=300).ok()


def main_pid() -> int:
    return int(systemctl("show", "--property", "MainPID", "--value", "pier.service"))


@pytest.fixture(scope="module", autouse=True)
def service(busybox_tar: Path) -> Iterator[None]:
    """The units as they are shipped, but for where the programs lie."""
    for name in ("pier.service", "pier.socket"):
        text = (ROOT / "packaging" / name).read_text().replace("/opt/pier/bin", str(ROOT / ".venv/bin"))
        (UNITS / name).write_text(text)
    systemctl("daemon-reload")
    try:
        started = run(["systemctl", "start", "pier.socket", "pier.service"], timeout=600)
        assert started.code == 0, run(["journalctl", "-n", "100", "-u", "pier.service"]).stdout
        size = {"Content-Length": str(busybox_tar.stat().st_size)}
        with busybox_tar.open("rb") as source:
            target = "/images/create?fromSrc=-&repo=busybox&tag=latest"
            ask(SOCKET, "POST", target, raw=source, headers=size, timeout=300).ok()
        yield
        docker("rm", "-f", *docker("ps", "-aq").ok().split())
    finally:
        run(["systemctl", "stop", "pier.socket", "pier.service"], timeout=300)
        for name in ("pier.service", "pier.socket"):
            (UNITS / name).unlink()
        systemctl("daemon-reload")


def test_the_socket_is_for_root_and_the_group_docker() -> None:
    assert run(["stat", "-c", "%U %G %a", SOCKET]).ok() == "root docker 660"
    assert systemctl("is-active", "pier.service") == "active"


def test_a_shell_in_a_terminal() -> None:
    terminal = Terminal(HOST)
    try:
        terminal.type("docker run -i -t --rm busybox sh; echo code=$?")
        terminal.expect("/ # ")
        terminal.type("echo pid=$$ $(stty size); exit 3")
        terminal.expect("pid=1 30 100")
        terminal.expect("code=3")
    finally:
        terminal.close()


def test_containers_run_on_through_a_restart_and_kill_9() -> None:
    script = "i=0; while [ $i -lt 60 ]; do i=$((i+1)); echo line $i; sleep 0.5; done; exit 7"
    docker("run", "-d", "--name", "writer", "busybox", "sh", "-c", script).ok()
    process = docker("inspect", "-f", "{{.State.Pid}}", "writer").ok()
    systemctl("restart", "pier.service")
    assert docker("inspect", "-f", "{{.State.Pid}} {{.State.Status}}", "writer").ok() == f"{process} running"
    killed = main_pid()
    run(["kill", "-9", str(killed)]).ok()
    wait_until(lambda: main_pid() not in (0, killed), "systemd starts it again", seconds=120)
    assert docker("wait", "writer").ok() == "7"
    assert docker("logs", "writer").ok().splitlines() == [f"line {i}" for i in range(1, 61)]
    docker("rm", "writer").ok()


def test_a_stopped_service_leaves_containers_and_the_socket_wakes_it() -> None:
    docker("run", "-d", "--name", "stays", "busybox", "sleep", "100000").ok()
    process = docker("inspect", "-f", "{{.State.Pid}}", "stays").ok()
    run(["systemctl", "stop", "pier.service"], timeout=300).ok()
    assert Path(f"/proc/{process}/root").exists()
    assert systemctl("is-active", "pier.socket") == "active"
    assert docker("exec", "stays", "echo", "awake").ok() == "awake"
    assert systemctl("is-active", "pier.service") == "active"
    docker("rm", "-f", "stays").ok()


def test_containers_are_outside_of_the_services_cgroup() -> None:
    docker("run", "-d", "--name", "apart", "busybox", "sleep", "100000").ok()
    process = docker("inspect", "-f", "{{.State.Pid}}", "apart").ok()
    group = Path(f"/proc/{process}/cgroup").read_text().strip()
    docker("rm", "-f", "apart").ok()
    assert group.startswith("0::/pier/")
