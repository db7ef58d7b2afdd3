"""pier-runtime as the OCI runtime command line: the life of a container by single commands."""

import json
import os
import socket
from pathlib import Path

import pytest

from pier.kernel import fds
from tests.runtime.bundles import config
from tests.runtime.lines import Line

pytestmark = pytest.mark.root


def test_a_container_is_run_and_its_code_given(line: Line) -> None:
    line.write(config("sh", "-c", "echo hello; exit 4"))
    assert line("run", "one", code=4) == "hello\n"
    assert json.loads(line("list", "--format", "json")) is None


def test_the_life_of_a_container_step_by_step(line: Line) -> None:
    line.write(config("sh", "-c", "echo started > /mark; sleep 1000"))
    line("create", "--pid-file", "pid", "one")
    state = json.loads(line("state", "one"))
    assert (state["id"], state["status"], state["bundle"]) == ("one", "created", str(line.bundle))
    assert state["pid"] == int((line.bundle / "pid").read_text())
    assert not (line.bundle / "rootfs/mark").exists()
    line("start", "one")
    assert line.status() == "running"
    assert "cannot start an already running container" in line("start", "one", code=1)
    assert "sleep 1000" in line("exec", "one", "ps")
    line("exec", "one", "sh", "-c", "exit 3", code=3)
    line("pause", "one")
    assert line.status() == "paused"
    line("resume", "one")
    assert "not stopped: running" in line("delete", "one", code=1)
    line("kill", "one", "KILL")
    end = Path(f"/proc/{state['pid']}")
    while end.exists() and end.joinpath("stat").read_text().rpartition(")")[2].split()[0] != "Z":
        continue
    assert line.status() == "stopped"
    line("delete", "one")
    assert "does not exist" in line("state", "one", code=1)


def test_failures_are_told_in_runcs_words_and_leave_nothing(line: Line) -> None:
    line.write(config("nosuch"))
    expected = r"unable to start container process: exec: \"nosuch\": executable file not found in $PATH"
    assert expected in line("create", "one", code=1)
    assert json.loads(line("list", "--format", "json")) is None


def test_the_terminal_is_sent_to_the_console_socket(line: Line, tmp_path: Path) -> None:
    line.write(config("tty", tty=True))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "console"))
        listener.listen(1)
        line("create", "--console-socket", str(tmp_path / "console"), "one")
        connection = listener.accept()[0]
    with connection:
        _, descriptors = fds.receive(connection, 100)
    line("start", "one")
    assert os.read(descriptors[0], 100) == b"/dev/pts/0\r\n"
    fds.close_all(descriptors)


def test_hooks_get_the_state(line: Line, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(f"#!/bin/sh\ncat > {tmp_path}/$1\n")
    (tmp_path / "hook").chmod(0o755)
    points = ("prestart", "createRuntime", "poststart", "poststop")
    hooks = {point: [{"path": str(tmp_path / "hook"), "args": ["hook", point]}] for point in points}
    line.write(config("true") | {"hooks": hooks})
    line("run", "one")
    states = {point: json.loads((tmp_path / point).read_text())["status"] for point in points}
    assert states["prestart"] == states["createRuntime"] == "creating"
    assert states["poststop"] == "stopped"


def test_spec_and_features_are_documents(line: Line) -> None:
    line("spec")
    document = json.loads((line.bundle / "config.json").read_text())
    assert document["process"]["args"] == ["sh"]
    assert "already" not in line("spec", code=1)
    assert json.loads(line("features"))["linux"]["seccomp"] == {"enabled": True}
