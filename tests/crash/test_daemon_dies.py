"""A daemon that is killed, and the one that comes after it: containers, output, exit codes and policies go on. And the
processes beside it: a keeper takes its own container along, the spawner nothing.
"""

import functools
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.crash.lives import ends, gone, keeper_of, logs, run, state
from tests.support.commands import wait_until
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def _removed(pierd: Pierd) -> Iterator[None]:
    """Tests share a daemon, and leave it without containers."""
    yield
    pierd.remove_containers()


def started_anew(pierd: Pierd, name: str, moment: str) -> bool:
    return str(state(pierd, name)["StartedAt"]) != moment


def test_containers_output_and_exit_codes_survive_kill_9(pierd: Pierd) -> None:
    run(pierd, "lives", "sleep", "100000")
    run(pierd, "paused", "sleep", "100000")
    pierd.api("POST", "/containers/paused/pause").ok()
    run(pierd, "ends", "sh", "-c", "echo first; while ! test -e /go; do sleep 0.02; done; echo last; exit 9")
    before, ending = state(pierd, "lives"), state(pierd, "ends")
    pierd.kill()
    Path(f"/proc/{ending['Pid']}/root/go").touch()
    wait_until(lambda: gone(ending["Pid"]), "the container ends while no daemon looks")
    pierd.start()
    after, ended = state(pierd, "lives"), state(pierd, "ends")
    assert (after["Status"], after["Pid"], after["StartedAt"]) == ("running", before["Pid"], before["StartedAt"])
    assert state(pierd, "paused")["Status"] == "paused"
    assert (ended["Status"], ended["ExitCode"]) == ("exited", 9)
    assert not ended["FinishedAt"].startswith("0001")
    assert logs(pierd, "ends") == b"\1\0\0\0\0\0\0\6first\n\1\0\0\0\0\0\0\5last\n"
    pierd.api("POST", "/containers/paused/unpause").ok()
    pierd.api("POST", "/containers/lives/kill").ok()
    assert pierd.api("POST", "/containers/lives/wait").ok()["StatusCode"] == 137


def test_policies_and_autoremove_are_carried_out_by_the_next_daemon(pierd: Pierd) -> None:
    wait_and_fail = ("sh", "-c", "while ! test -e /go; do sleep 0.02; done; exit 3")
    names = ("always", "unless", "failure", "never", "removed")
    policies = ("always", "unless-stopped", "on-failure", "no", "no")
    for name, policy in zip(names, policies, strict=True):
        run(pierd, name, *wait_and_fail, RestartPolicy={"Name": policy}, AutoRemove=name == "removed")
    run(pierd, "stopped", "sleep", "100000", RestartPolicy={"Name": "unless-stopped"})
    pierd.api("POST", "/containers/stopped/kill").ok()
    pierd.api("POST", "/containers/stopped/wait").ok()
    before = {name: state(pierd, name) for name in names}
    pids = {name: told["Pid"] for name, told in before.items()}
    pierd.kill()
    for pid in pids.values():
        Path(f"/proc/{pid}/root/go").touch()
    wait_until(lambda: all(map(gone, pids.values())), "all containers end")
    pierd.start()
    wait_until(lambda: pierd.api("GET", "/containers/removed/json").status == 404, "AutoRemove is carried out")
    for name in ("always", "unless", "failure"):
        # /go is still there, so that they end again and again: what counts is that they were started anew
        again = functools.partial(started_anew, pierd, name, before[name]["StartedAt"])
        wait_until(again, f"the policy of {name} is followed")
    assert state(pierd, "never")["ExitCode"] == 3
    assert state(pierd, "stopped")["Status"] == "exited"


def test_a_killed_keeper_ends_its_container_with_137_and_no_other(pierd: Pierd) -> None:
    run(pierd, "victim", "sh", "-c", "sleep 100000 & sleep 100000")
    run(pierd, "other", "sleep", "100000")
    pid = state(pierd, "victim")["Pid"]
    os.kill(keeper_of(pid), signal.SIGKILL)
    assert pierd.api("POST", "/containers/victim/wait").ok()["StatusCode"] == 137
    assert gone(pid)
    told = state(pierd, "victim")
    assert (told["Status"], told["ExitCode"]) == ("exited", 137)
    assert "keeper" in told["Error"]
    assert state(pierd, "other")["Status"] == "running"
    pierd.api("POST", "/containers/victim/start").ok()
    assert state(pierd, "victim")["Status"] == "running"


def spawner_of(daemon: int) -> int:
    tasks = Path(f"/proc/{daemon}/task").glob("*/children")
    pids = [int(pid) for children in tasks for pid in children.read_text().split()]
    (found,) = [pid for pid in pids if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"pier-spawner")]
    return found


def test_a_killed_spawner_is_replaced_and_nobody_minds(pierd: Pierd) -> None:
    run(pierd, "before", "sleep", "100000")
    pid, spawner = state(pierd, "before")["Pid"], spawner_of(pierd.pid)
    os.kill(spawner, signal.SIGKILL)
    wait_until(lambda: gone(spawner), "the spawner is dead")
    for number in range(6):  # more than pairs that were forked ahead
        run(pierd, f"after{number}", "sh", "-c", f"exit {number}")
        assert ends(pierd, f"after{number}") == number
    assert spawner_of(pierd.pid) != spawner
    assert (state(pierd, "before")["Status"], state(pierd, "before")["Pid"]) == ("running", pid)


def test_a_keeper_killed_while_no_daemon_looks_is_found_at_the_start(pierd: Pierd) -> None:
    run(pierd, "victim", "sleep", "100000")
    pid = state(pierd, "victim")["Pid"]
    # A start does not wait for the disk, for the keeper tells of it; what is created is on the disk, and all before it.
    pierd.docker("create", "--name", "after", "busybox").ok()
    pierd.kill()
    keeper = keeper_of(pid)
    os.kill(keeper, signal.SIGKILL)
    wait_until(lambda: gone(keeper), "the keeper is dead")
    pierd.start()
    told = state(pierd, "victim")
    assert (told["Status"], told["ExitCode"]) == ("exited", 137)
    wait_until(lambda: gone(pid), "nothing of the container lives on")


def test_what_no_record_names_is_swept(pierd: Pierd) -> None:
    pierd.kill()
    orphan = pierd.data_root / "containers" / ("0" * 64)
    (orphan / "upper").mkdir(parents=True)
    grave = pierd.data_root / "tmp" / ("removed-" + "1" * 64)
    grave.mkdir()
    pierd.start()
    assert not orphan.exists()
    assert not grave.exists()


def test_a_record_that_cannot_be_read_costs_no_other_container(pierd: Pierd) -> None:
    broken = run(pierd, "broken", "sleep", "100000")
    run(pierd, "whole", "sleep", "100000")
    pid, pid_of_broken = state(pierd, "whole")["Pid"], state(pierd, "broken")["Pid"]
    pierd.kill()
    with closing(sqlite3.connect(pierd.data_root / "records.sqlite")) as records, records:
        records.execute(
            "UPDATE documents SET document = ? WHERE kind = 'container' AND key = ?", (b'{"name": "broken"}', broken)
        )
    pierd.start()
    assert (state(pierd, "whole")["Status"], state(pierd, "whole")["Pid"]) == ("running", pid)
    told = state(pierd, "broken")
    assert (told["Status"], told["Dead"], told["Running"]) == ("dead", True, False)
    assert str(told["Error"]).startswith("the container's record cannot be read: ")
    wait_until(lambda: gone(pid_of_broken), "nothing runs on unseen")
    listed = pierd.api("GET", "/containers/json?all=1").ok()
    assert {row["Names"][0]: row["State"] for row in listed} == {"/broken": "dead", "/whole": "running"}
    assert pierd.api("POST", "/containers/broken/start").status == 409
    pierd.api("DELETE", "/containers/broken").ok()
    assert not (pierd.data_root / "containers" / broken).exists()


def test_names_and_files_outlive_a_restart(pierd: Pierd) -> None:
    first = run(pierd, "keeps", "sh", "-c", "echo made > /file")
    pierd.api("POST", "/containers/keeps/wait").ok()
    pierd.restart()
    assert pierd.api("GET", "/containers/keeps/json").ok()["Id"] == first
    conflict = pierd.api("POST", "/containers/create?name=keeps", {"Image": "busybox"})
    assert conflict.status == 409
    assert conflict.message == (
        f'Conflict. The container name "/keeps" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
