"""The main job in a real terminal: `docker run -i -t debian /bin/bash`, typed by hand, on both engines."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.terminal import Terminal

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


def open_terminal(engine: Engine, terminals: list[Terminal]) -> Terminal:
    terminals.append(Terminal(engine.client_environment()))
    return terminals[-1]


@pytest.mark.peer
def test_a_shell_is_used_resized_left_and_found_again(
    engine: Engine, bash_tar: Path, terminals: list[Terminal]
) -> None:
    engine.load(bash_tar, "debian:latest", 'CMD ["/bin/bash"]')
    terminal = open_terminal(engine, terminals)
    terminal.type("docker run -i -t --name desk debian /bin/bash; echo code=$?")
    terminal.expect(":/# ")
    terminal.type("echo pid=$$ tty=$(tty) size=$(stty size)")
    terminal.expect("pid=1 tty=/dev/pts/0 size=30 100")
    terminal.resize(90, 25)
    terminal.type("until [ \"$(stty size)\" = '25 90' ]; do sleep 0.05; done; echo now=$(stty size)")
    terminal.expect("now=25 90")
    terminal.type("sleep 1000")
    terminal.press("C-c")
    terminal.type("echo interrupted=$?")
    terminal.expect("interrupted=130")
    terminal.type("mkdir /desk; echo 'left here' >/desk/note; exit 3")
    prompts = terminal.expect("code=3").count(":/# ")
    assert engine.docker("inspect", "-f", "{{.State.Status}} {{.State.ExitCode}}", "desk").ok() == "exited 3"
    terminal.type("docker start -a -i desk; echo again=$?")
    terminal.expect(":/# ", times=prompts + 1)
    terminal.type("cat /desk/note; exit 5")
    terminal.expect("left here", times=2)
    terminal.expect("again=5")
    engine.docker("rm", "desk").ok()
    assert "No such container" in engine.docker("start", "desk").stderr


@pytest.mark.peer
def test_the_detach_keys_leave_the_container_running(engine: Engine, terminals: list[Terminal]) -> None:
    terminal = open_terminal(engine, terminals)
    terminal.type("docker run -i -t --name left busybox sh; echo back=$?")
    terminal.expect("/ # ")
    terminal.press("C-p", "C-q")
    terminal.expect("back=0")
    assert engine.docker("inspect", "-f", "{{.State.Running}}", "left").ok() == "true"
    terminal.type("docker attach left")
    terminal.type("echo again=$((40+2))")
    terminal.expect("again=42")
    engine.docker("rm", "-f", "left").ok()


def test_an_attached_terminal_outlives_the_daemon(make_pierd: Callable[..., Pierd], terminals: list[Terminal]) -> None:
    engine = make_pierd()
    terminal = open_terminal(engine, terminals)
    terminal.type("docker run -i -t --name survivor busybox sh")
    terminal.expect("/ # ")
    engine.kill()
    terminal.type("echo while=$((1+1))")
    terminal.expect("while=2")
    engine.start()
    terminal.type("echo after=$((2+2))")
    terminal.expect("after=4")
    assert engine.docker("inspect", "-f", "{{.State.Running}}", "survivor").ok() == "true"
    engine.docker("rm", "-f", "survivor").ok()
