"""`docker run -i -t debian /bin/bash` as a person does it, on a real Debian in a real terminal, from run to rm."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


@pytest.fixture(scope="module")
def host(engine: Engine, debian_tar: Path) -> Iterator[Engine]:
    """The engine with the image debian, without its containers and the image afterwards."""
    engine.load(debian_tar, "debian:latest", 'CMD ["/bin/bash"]')
    yield engine
    engine.remove_containers()
    engine.docker("rmi", "debian").ok()


def status(engine: Engine, container: str) -> str:
    """State and exit code, such as `exited 0`; nothing for a container that is not there."""
    return engine.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", container).stdout.strip()


def upper_of(engine: Engine, container: str) -> Path:
    """Where the container's own files lie on the host."""
    found = engine.api("GET", f"/containers/{container}/json").ok()["GraphDriver"]["Data"]["UpperDir"]
    return Path(str(found))


def test_from_run_to_rm(host: Engine, open_terminal: Callable[[Engine], Terminal]) -> None:
    terminal = open_terminal(host)
    terminal.type("docker run -i -t --name desk debian /bin/bash; echo the''code=$?")
    terminal.expect("root@")

    terminal.type("clear; . /etc/os-release; echo system=$ID.$VERSION_ID pid=$$ shell=$0 tty=$(tty) user=$(id -un)")
    terminal.expect("system=debian.12 pid=1 shell=/bin/bash tty=/dev/pts/0 user=root")
    terminal.type("dpkg --version | head -n 1")
    terminal.expect("Debian 'dpkg' package management program")
    terminal.type("echo alone: /proc/[0-9]* here")
    terminal.expect("alone: /proc/1 here")

    terminal.type("clear; echo size=$(stty size)")
    terminal.expect("size=30 100")
    terminal.resize(72, 20)
    terminal.type("clear; until [ \"$(stty size)\" = '20 72' ]; do sleep 0.05; done; echo now=$(stty size) $((6*7))")
    terminal.expect("now=20 72 42")

    terminal.type("clear; sleep 1000")
    wait_until(lambda: "sleep 1000" in host.docker("top", "desk").stdout, "sleep runs")
    terminal.press("C-c")
    terminal.type("echo interrupted=$?")
    terminal.expect("interrupted=130")

    terminal.type("clear; mkdir -p /srv/deep/er; echo 'left here' >/srv/deep/er/note; rm /etc/debian_version; exit 7")
    terminal.expect("thecode=7")
    assert status(host, "desk") == "exited 7"

    terminal.type("clear; docker start -a -i desk; echo the''second=$?")
    terminal.expect("root@")
    terminal.type("cat /srv/deep/er/note; ls /etc/debian_version; echo again=$(stty size)")
    screen = terminal.expect("again=20 72")
    assert "left here" in screen
    assert "cannot access '/etc/debian_version'" in screen
    terminal.type("exit 0")
    terminal.expect("thesecond=0")
    assert status(host, "desk") == "exited 0"

    upper = upper_of(host, "desk")
    assert (upper / "srv/deep/er/note").read_text() == "left here\n"
    assert host.docker("rm", "desk").ok() == "desk"
    assert status(host, "desk") == ""
    assert not upper.exists()
    terminal.type("clear; docker run -i -t --rm debian ls /srv /etc/debian_version; echo the''fresh=$?")
    assert terminal.expect("thefresh=0").splitlines()[0] == "/etc/debian_version"


def test_two_windows_share_one_shell(host: Engine, open_terminal: Callable[[Engine], Terminal]) -> None:
    first, second = open_terminal(host), open_terminal(host)
    first.type("docker run -i -t --name shared --detach-keys ctrl-x,d debian; echo le''ft=$?")
    first.expect("root@")
    second.type("docker attach shared")
    second.type("echo from=$((1+1))")
    first.expect("from=2")
    first.press("C-x", "d")
    first.expect("left=0")
    second.type("echo still=$((3+1)); exit")
    second.expect("still=4")
    wait_until(lambda: status(host, "shared") == "exited 0", "the shell is left")
    host.docker("rm", "shared").ok()
