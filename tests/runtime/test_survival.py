"""What dies and what lives on: daemon, spawner, keeper, waiting pairs."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pier.kernel.process import pidfd_open
from pier.runtime.requests import LogTarget
from pier.runtime.state import read_exit
from pier.spec.errors import StartFailed, SystemFailure
from tests.runtime.bundles import SECONDS, Runtime, children, client, config

pytestmark = pytest.mark.root


def ended(pidfd: int) -> bool:
    """Wait for a process's end, for a while."""
    try:
        return bool(select.select([pidfd], [], [], SECONDS)[0])
    finally:
        os.close(pidfd)


def keeper_of(pid: int) -> int:
    """The keeper of a container's init: its parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_container_outlives_the_daemon_and_is_adopted(runtime: Runtime) -> None:
    with client(stdin=True) as one:
        keeper = runtime.launch(config("sh", "-c", "read x; echo got $x; exit 5"), open_stdin=True)
        pid, started_at = keeper.pid, keeper.started_at
        keeper.close()
        runtime.run(runtime.launcher.close())
        runtime.start()
        adopted = runtime.run(runtime.launcher.adopt(runtime.directory / "exec/c1"))
        assert adopted is not None
        assert (adopted.id, adopted.pid, adopted.started_at) == ("c1", pid, started_at)
        assert adopted.exit_path == runtime.directory / "c1/exit.json"
        assert adopted.cgroup == f"{runtime.parent}/c1"
        runtime.run(adopted.attach(one.attachment))
        one.handed_over()
        one.socket.sendall(b"it\n")
        assert one.rest() == b"got it\n"
        assert runtime.end(adopted).code == 5
        adopted.close()
    assert runtime.run(runtime.launcher.adopt(runtime.directory / "exec/c1")) is None


def test_a_container_that_ends_without_a_daemon_leaves_its_record(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sh", "-c", "read x; exit 9"), open_stdin=True)
    end = pidfd_open(keeper_of(keeper.pid))
    os.kill(keeper.pid, signal.SIGKILL)
    keeper.close()
    assert ended(end)
    record = read_exit(runtime.directory / "c1/exit.json")
    assert record is not None
    assert record.code == 137
    assert runtime.run(runtime.launcher.adopt(runtime.directory / "exec/c1")) is None


def test_a_killed_keeper_ends_its_container_and_no_other(runtime: Runtime) -> None:
    first, second = runtime.launch(config("sleep", "1000"), "c1"), runtime.launch(config("sleep", "1000"), "c2")
    end = pidfd_open(first.pid)
    os.kill(keeper_of(first.pid), signal.SIGKILL)
    exit_ = runtime.end(first)
    assert (exit_.code, exit_.error) == (137, "keeper died")
    assert ended(end)
    runtime.run(second.hello())
    for group in runtime.groups():
        if group.endswith("/c1"):
            os.rmdir(group)


def test_a_killed_spawner_is_replaced_and_containers_do_not_mind(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"), "c1")
    before = runtime.launcher.spawner_pid
    os.kill(before, signal.SIGKILL)
    for name in ("c2", "c3", "c4", "c5", "c6", "c7"):
        runtime.end(launch_again(runtime, name))
    assert runtime.launcher.spawner_pid != before
    runtime.run(keeper.hello())


def launch_again(runtime: Runtime, name: str):  # type: ignore[no-untyped-def]
    """Launch; a start that the death of the spawner met is tried once more."""
    try:
        return runtime.launch(config("true"), name)
    except SystemFailure:
        return runtime.launch(config("true"), name)


def test_a_killed_waiting_pair_is_passed_over(runtime: Runtime) -> None:
    for waiting in children(runtime.launcher.spawner_pid):
        end = pidfd_open(waiting)
        os.kill(waiting, signal.SIGKILL)
        assert ended(end)
    assert runtime.end(runtime.launch(config("true"))).code == 0


def test_waiting_pairs_go_with_a_killed_daemon(tmp_path: Path) -> None:
    code = (
        "import asyncio, pathlib, sys\n"
        "from pier.runtime.launch import Launcher\n"
        "async def main():\n"
        "    launcher = await Launcher.start(exec_root=pathlib.Path(sys.argv[1]), instance=sys.argv[2])\n"
        "    print(launcher.spawner_pid, flush=True)\n"
        "    await asyncio.sleep(1000)\n"
        "asyncio.run(main())\n"
    )
    instance = f"k{os.getpid()}"
    daemon = subprocess.Popen([sys.executable, "-c", code, str(tmp_path), instance], stdout=subprocess.PIPE)
    assert daemon.stdout
    spawner = int(daemon.stdout.readline())
    ends = [pidfd_open(pid) for pid in (spawner, *children(spawner))]
    daemon.kill()
    daemon.wait()
    daemon.stdout.close()
    assert all(ended(end) for end in ends)
    left = [path for path in Path("/sys/fs/cgroup").glob(f"*/pier-{instance}/*") if path.is_dir()]
    assert left == []
    for path in Path("/sys/fs/cgroup").glob(f"*/pier-{instance}"):
        path.rmdir()


def test_a_keeper_holds_nothing_of_the_daemon(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    directory = Path(f"/proc/{keeper_of(keeper.pid)}/fd")
    targets = {path.name: os.readlink(path) for path in directory.iterdir()}
    assert {targets[name] for name in "012"} == {"/dev/null"}
    assert len(targets) <= 12
    title = (directory.parent / "cmdline").read_bytes().rstrip(b"\0")
    assert title == b"pier-keeper c1"


def test_a_keeper_that_has_nothing_to_do_shares_its_memory(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sleep", "1000"))
    summary = Path(f"/proc/{keeper_of(keeper.pid)}/smaps_rollup").read_text().split()
    private = {name: int(summary[summary.index(name) + 1]) for name in ("Private_Dirty:", "Private_Clean:")}
    assert sum(private.values()) < 1000


def test_a_quiet_keeper_serves_as_soon_as_it_is_asked(runtime: Runtime) -> None:
    keeper = runtime.launch(config("sh", "-c", "read line; echo got $line; exit 3"), open_stdin=True)
    with client(stdin=True) as late:
        runtime.run(keeper.attach(late.attachment))
        late.handed_over()
        late.socket.sendall(b"word\n")
        assert late.rest() == b"got word\n"
    assert runtime.end(keeper).code == 3
    assert runtime.log() == "got word\n"


def test_a_log_that_cannot_be_made_is_told(runtime: Runtime) -> None:
    with pytest.raises(StartFailed, match="error starting the keeper: "):
        runtime.launch(config("true"), log=LogTarget("/nonexistent/log.json"))
