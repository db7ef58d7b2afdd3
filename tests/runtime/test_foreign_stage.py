"""Containers of runc's in the keeper's hands, and runtimes that are missing, fail, lie or hang: nothing is left."""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pier.runtime.foreign import ForeignRuntime
from pier.spec.errors import StartFailed
from tests.runtime.bundles import Runtime, client, config

RUNC = shutil.which("runc") or "/usr/sbin/runc"
pytestmark = [pytest.mark.root, pytest.mark.skipif(not os.path.exists(RUNC), reason="no runc")]
# What a script does with the words it is called with: `$pid` is its pid file, `$word` the command.
_WORDS = """#!/bin/sh
for each; do
    case $before in --pid-file) pid=$each;; --log) log=$each;; esac
    case $each in create|start|exec|delete) word=${word:-$each};; esac
    before=$each
done
"""


@pytest.fixture(autouse=True)
def nothing_left(runtime: Runtime) -> Iterator[None]:
    yield
    runtime.end_all()
    assert not (runtime.directory / "exec/c1").exists()
    assert str(runtime.directory) not in Path("/proc/self/mountinfo").read_text()
    assert runtime.groups() == []


def made(runtime: Runtime, script: str, patience: float = 20) -> ForeignRuntime:
    """A runtime that is a shell script, with runc at hand for what it does honestly."""
    path = runtime.directory / "runtime.sh"
    path.write_text(f'{_WORDS}honest() {{ exec {RUNC} "$@"; }}\n{script}\n')
    path.chmod(0o755)
    return ForeignRuntime(str(path), (), patience)


def refused(runtime: Runtime, foreign: ForeignRuntime) -> str:
    with pytest.raises(StartFailed) as caught:
        runtime.launch(config("sleep", "1000"), runtime=foreign)
    assert caught.value.refused
    return caught.value.message


def test_a_container_of_runcs_is_kept_as_one_of_our_own(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sh", "-c", "echo out; echo err >&2; exit 7"), runtime=ForeignRuntime(RUNC))
    assert runtime.end(keeper).code == 7
    assert sorted(runtime.log().split()) == ["err", "out"]


def test_a_terminal_comes_through_the_console_socket(runtime: Runtime) -> None:
    request = {"runtime": ForeignRuntime(RUNC), "size": (31, 101)}
    assert runtime.output(config("sh", "-c", "tty; stty size", tty=True), **request) == "/dev/pts/0\r\n31 101\r\n"


def test_an_exec_goes_through_the_runtime_also_after_a_restart_of_the_daemon(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"), runtime=ForeignRuntime(RUNC, ("--debug",)))
    keeper.close()
    runtime.run(runtime.launcher.close())
    runtime.start()
    adopted = runtime.run(runtime.launcher.adopt(runtime.directory / "exec/c1"))
    assert adopted is not None
    assert adopted.runtime == ForeignRuntime(RUNC, ("--debug",))
    with client() as one:
        process = runtime.exec(adopted, "sh", "-c", "echo in; exit 3", clients=(one.attachment,))
        one.handed_over()
        assert one.rest() == b"in\n"
        assert runtime.end(process).code == 3
    with client() as one:
        process = runtime.exec(adopted, "tty", clients=(one.attachment,), terminal=True)
        one.handed_over()
        assert one.rest() == b"/dev/pts/0\r\n"
        assert runtime.end(process).code == 0
    with pytest.raises(
        StartFailed, match=r'^OCI runtime exec failed: exec failed: .* exec: "nosuch": executable file not'
    ):
        runtime.exec(adopted, "nosuch")
    runtime.run(adopted.signal(signal.SIGKILL))
    assert runtime.end(adopted).code == 137
    adopted.close()


def test_a_killed_keeper_leaves_nothing_of_the_runtimes(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"), runtime=ForeignRuntime(RUNC))
    os.kill(_parent(keeper.pid), signal.SIGKILL)
    assert runtime.end(keeper).error == "keeper died"
    assert not (runtime.directory / "exec/c1/bundle").exists()
    runtime.end(runtime.launch(config("true"), runtime=ForeignRuntime(RUNC), cgroup=f"{runtime.parent}/other"))
    os.kill(keeper.pid, signal.SIGKILL)
    _gone(keeper.pid)
    for group in runtime.groups():
        os.rmdir(group)


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (None, 0, "no such file or directory"),
        ("#!/bin/sh\n", 0o644, "permission denied"),
        ("\0garbage", 0o755, "exec format error"),
        ("#!/nosuch/interpreter\n", 0o755, "no such file or directory"),
    ],
)
def test_a_runtime_that_is_no_program_is_named(runtime: Runtime, content: str | None, mode: int, reason: str) -> None:
    path = runtime.directory / "runtime"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    message = refused(runtime, ForeignRuntime(str(path)))
    assert message.startswith("failed to create shim task: OCI runtime create failed: unable to retrieve OCI runtime")
    assert message.endswith(f"fork/exec {path}: {reason}: unknown")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", "wrote no process number"),
        ("exit 3", "exit status 3"),
        ("kill -9 $$", "it was killed"),
        ("head -c 100000 /dev/urandom >$log; exit 1", "unable to retrieve OCI runtime error"),
        ("""echo '{"level":"error","msg":"out of luck"}' >$log; exit 1""", "create failed: out of luck: unknown"),
        ("echo 1 >$pid", "named process 1, which it has not made"),
        ("echo $PPID >$pid", ", which it has not made"),
        ("echo 99999999 >$pid", "named process 99999999, which it has not made"),
        ("head -c 100000 /dev/urandom >$pid", "wrote no process number"),
        ("mkdir $pid", "wrote no process number"),
    ],
)
def test_a_runtime_that_fails_or_lies_makes_no_container(runtime: Runtime, script: str, message: str) -> None:
    assert message in refused(runtime, made(runtime, script))


@pytest.mark.parametrize("word", ["create", "start"])
def test_a_runtime_that_hangs_is_killed_with_what_it_made(runtime: Runtime, word: str) -> None:
    pids = runtime.directory / "pids"
    script = f'[ $word = {word} ] || honest "$@"\nsleep 1000 & echo $$ $! >{pids}\nsetsid sleep 1000 & echo $! >>{pids}'
    message = refused(runtime, made(runtime, f"{script}\nwait", 3))
    assert f"OCI runtime {word} failed: " in message
    assert "did not answer within 3 seconds" in message
    for pid in pids.read_text().split():
        _gone(int(pid))


def test_a_start_that_fails_takes_the_container_away(runtime: Runtime) -> None:
    script = """[ $word = start ] || honest "$@"\necho '{"level":"error","msg":"no start"}' >>$log; exit 1"""
    assert "OCI runtime start failed: no start" in refused(runtime, made(runtime, script))


def test_a_delete_that_hangs_or_fails_keeps_nobody(runtime: Runtime) -> None:
    for script in ("sleep 1000", "exit 1"):
        foreign = made(runtime, f'[ $word = delete ] || honest "$@"\n{script}', 2)
        assert runtime.end(runtime.launch(config("sh", "-c", "exit 4"), runtime=foreign)).code == 4


def test_a_lie_about_a_terminal_is_found(runtime: Runtime) -> None:
    document = config("sleep", "1000", tty=True)
    with pytest.raises(StartFailed, match="sent no terminal"):
        runtime.launch(document, runtime=made(runtime, "echo $$ >$pid"))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 0", "wrote no process number"),
        ("echo 1 >$pid", "named process 1, which it has not made"),
        ("sleep 1000", "did not answer within 2 seconds"),
    ],
)
def test_an_exec_that_lies_or_hangs_leaves_the_container_alone(runtime: Runtime, script: str, message: str) -> None:
    keeper = runtime.launch(
        config("sleep", "1000"), runtime=made(runtime, f'[ $word = exec ] || honest "$@"\n{script}', 2)
    )
    with pytest.raises(StartFailed, match=message):
        runtime.exec(keeper, "true")
    assert not keeper.exited().done()
    assert not (runtime.directory / "exec/c1/exec-e1").exists()


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _gone(pid: int) -> None:
    """Wait until a process is no more than a zombie."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return
        except OSError:
            return
    raise AssertionError(f"process {pid} lives")
