"""Hooks run at the specification's points, in the namespaces and with the state that it names; a failing one fails."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pier.runtime import hooks
from pier.runtime.steps import Failure
from tests.runtime.bundles import config
from tests.runtime.lines import Line

POINTS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
Script = Callable[[str], str]


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Writes a program of the host's; its path."""

    def write(text: str) -> str:
        path = tmp_path / f"hook{len(list(tmp_path.glob('hook*')))}"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    return write


def test_a_hook_gets_the_state_and_its_own_environment_only(script: Script, tmp_path: Path) -> None:
    path = script(f"cat > {tmp_path}/state; echo $0 $1 $A $HOME > {tmp_path}/said")
    hooks.run(({"path": path, "args": ["name", "word"], "env": ["A=b"]},), {"id": "one", "status": "creating"})
    assert json.loads((tmp_path / "state").read_text()) == {"id": "one", "status": "creating"}
    assert (tmp_path / "said").read_text().split()[1:] == ["word", "b"]


@pytest.mark.parametrize(
    ("text", "timeout", "message"),
    [
        ("echo out; echo err >&2; exit 3", None, "exit status 3, stdout: out\n, stderr: err\n"),
        ("kill -9 $$", None, "signal: killed, stdout: , stderr: "),
        ("exec sleep 1000", 1, "hook ran past specified timeout of 1.0s"),
    ],
)
def test_a_hook_that_fails_says_how(script: Script, text: str, timeout: int | None, message: str) -> None:
    hook: Any = {"path": script(text), "timeout": timeout}
    with pytest.raises(Failure) as failure:
        hooks.run(({"path": script("exit 0")}, hook), {})
    assert failure.value.message.startswith("error running hook #1: ")
    assert failure.value.message.endswith(message)


def test_a_hook_that_is_not_there_is_named() -> None:
    with pytest.raises(Failure, match=r"hook #0: .*fork/exec /nosuch: no such file or directory"):
        hooks.run(({"path": "/nosuch"},), {})


def test_much_is_written_and_read(script: Script, tmp_path: Path) -> None:
    state = {"annotations": {"long": "x" * 300_000}}
    path = script(f"head -c 200000 /dev/zero; wc -c > {tmp_path}/count; exit 1")
    with pytest.raises(Failure) as failure:
        hooks.run(({"path": path},), state)
    assert int((tmp_path / "count").read_text()) == len(json.dumps(state))
    assert failure.value.message.count("\0") == 200_000


def test_a_hook_that_reads_nothing_is_left_alone(script: Script) -> None:
    hooks.run(({"path": script("exec 0<&-")},), {"long": "x" * 300_000})


@pytest.mark.root
def test_hooks_run_in_order_each_in_its_namespaces(line: Line, script: Script, tmp_path: Path) -> None:
    tell = f'echo "$1 $(readlink /proc/self/ns/uts) $(cat)" >> {tmp_path}/told'
    outside = script(f"{tell}; touch {line.bundle}/rootfs/$1")
    (tmp_path / "told").touch(0o666)
    inside = line.bundle / "rootfs/hook"
    inside.write_text('#!/bin/sh\nread state\necho "$1 $(readlink /proc/self/ns/uts) $state" > /told\n')
    inside.chmod(0o755)
    document = config("sh", "-c", "readlink /proc/self/ns/uts; cat /told; until [ -e /poststart ]; do :; done")
    document["hooks"] = {
        point: [{"path": outside, "args": ["hook", point], "env": ["PATH=/bin:/usr/bin"]}] for point in POINTS
    }
    document["hooks"]["startContainer"] = [{"path": "/hook", "args": ["hook", "startContainer"], "env": ["PATH=/bin"]}]
    document["annotations"] = {"a": "b"}
    line.write(document)
    own, start = line("run", "one").splitlines()
    host = os.readlink("/proc/self/ns/uts")
    told = [row.split(" ", 2) for row in [*(tmp_path / "told").read_text().splitlines(), start]]
    states = {point: json.loads(state) for point, _, state in told}
    assert [point for point, _, _ in told[:-1]] == [point for point in POINTS if point != "startContainer"]
    assert {point: namespace == own for point, namespace, _ in told} == {
        point: point in ("createContainer", "startContainer") for point in POINTS
    }
    assert all(namespace in (own, host) for _, namespace, _ in told)
    assert {point: states[point]["status"] for point in POINTS} == {
        "prestart": "creating", "createRuntime": "creating", "createContainer": "creating", "startContainer": "created",
        "poststart": "running", "poststop": "stopped",
    }  # fmt: skip
    assert states["createContainer"]["pid"] == states["startContainer"]["pid"] == 1
    assert all(state["id"] == "one" and state["annotations"] == {"a": "b"} for state in states.values())
    assert all(state["bundle"] == str(line.bundle) for state in states.values())


@pytest.mark.root
@pytest.mark.parametrize("point", ["prestart", "createRuntime", "createContainer"])
def test_a_hook_that_fails_leaves_no_container(line: Line, script: Script, point: str) -> None:
    document = config("true")
    document["hooks"] = {point: [{"path": script("echo no >&2; exit 2")}]}
    line.write(document)
    said = line("create", "one", code=1)
    assert "error running hook #0: error running hook: exit status 2, stdout: , stderr: no" in said
    assert "container does not exist" in line("state", "one", code=1)
    assert not Path(f"/sys/fs/cgroup/memory{line.group}").exists()


@pytest.mark.root
def test_a_start_hook_that_fails_fails_the_start(line: Line) -> None:
    document = config("true")
    document["hooks"] = {"startContainer": [{"path": "/bin/false"}]}
    line.write(document)
    assert "error running hook #0: error running hook: exit status 1" in line("run", "one", code=1)
    assert "container does not exist" in line("state", "one", code=1)
