"""A daemon that is killed, and the one that comes after it: containers, output, exit codes and policies go on."""

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root]

Make = Callable[..., Engine]


def create(engine: Engine, name: str, *command: str, **host_config: object) -> str:
    body = {"Image": "busybox", "Cmd": list(command), "HostConfig": {"NetworkMode": "none", **host_config}}
    return str(engine.api("POST", f"/containers/create?name={name}", body).ok()["Id"])


def run(engine: Engine, name: str, *command: str, **host_config: object) -> str:
    container_id = create(engine, name, *command, **host_config)
    engine.api("POST", f"/containers/{name}/start").ok()
    return container_id


def state(engine: Engine, name: str) -> Any:
    return engine.api("GET", f"/containers/{name}/json").ok()["State"]


def logs(engine: Engine, name: str) -> bytes:
    return bytes(engine.api("GET", f"/containers/{name}/logs?stdout=1&stderr=1").ok())


def started_anew(engine: Engine, name: str, moment: str) -> bool:
    return str(state(engine, name)["StartedAt"]) != moment


def gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def keeper_of(pid: int) -> int:
    """The keeper is the parent of a container's first process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_containers_output_and_exit_codes_survive_kill_9(make_pierd: Make) -> None:
    engine = make_pierd()
    run(engine, "lives", "sleep", "100000")
    run(engine, "paused", "sleep", "100000")
    engine.api("POST", "/containers/paused/pause").ok()
    run(engine, "ends", "sh", "-c", "echo first; while ! test -e /go; do sleep 0.02; done; echo last; exit 9")
    before, ends = state(engine, "lives"), state(engine, "ends")
    engine.kill()
    Path(f"/proc/{ends['Pid']}/root/go").touch()
    wait_until(lambda: gone(ends["Pid"]), "the container ends while no daemon looks")
    engine.start()
    after, ended = state(engine, "lives"), state(engine, "ends")
    assert (after["Status"], after["Pid"], after["StartedAt"]) == ("running", before["Pid"], before["StartedAt"])
    assert state(engine, "paused")["Status"] == "paused"
    assert (ended["Status"], ended["ExitCode"]) == ("exited", 9)
    assert not ended["FinishedAt"].startswith("0001")
    assert logs(engine, "ends") == b"\1\0\0\0\0\0\0\6first\n\1\0\0\0\0\0\0\5last\n"
    engine.api("POST", "/containers/paused/unpause").ok()
    engine.api("POST", "/containers/lives/kill").ok()
    assert engine.api("POST", "/containers/lives/wait").ok()["StatusCode"] == 137


def test_policies_and_autoremove_are_carried_out_by_the_next_daemon(make_pierd: Make) -> None:
    engine = make_pierd()
    wait_and_fail = ("sh", "-c", "while ! test -e /go; do sleep 0.02; done; exit 3")
    names = ("always", "unless", "failure", "never", "removed")
    policies = ("always", "unless-stopped", "on-failure", "no", "no")
    for name, policy in zip(names, policies, strict=True):
        run(engine, name, *wait_and_fail, RestartPolicy={"Name": policy}, AutoRemove=name == "removed")
    run(engine, "stopped", "sleep", "100000", RestartPolicy={"Name": "unless-stopped"})
    engine.api("POST", "/containers/stopped/kill").ok()
    engine.api("POST", "/containers/stopped/wait").ok()
    before = {name: state(engine, name) for name in names}
    pids = {name: told["Pid"] for name, told in before.items()}
    engine.kill()
    for pid in pids.values():
        Path(f"/proc/{pid}/root/go").touch()
    wait_until(lambda: all(map(gone, pids.values())), "all containers end")
    engine.start()
    wait_until(lambda: engine.api("GET", "/containers/removed/json").status == 404, "AutoRemove is carried out")
    for name in ("always", "unless", "failure"):
        # /go is still there, so that they end again and again: what counts is that they were started anew
        again = functools.partial(started_anew, engine, name, before[name]["StartedAt"])
        wait_until(again, f"the policy of {name} is followed")
    assert state(engine, "never")["ExitCode"] == 3
    assert state(engine, "stopped")["Status"] == "exited"


def test_a_killed_keeper_ends_its_container_with_137_and_no_other(make_pierd: Make) -> None:
    engine = make_pierd()
    run(engine, "victim", "sh", "-c", "sleep 100000 & sleep 100000")
    run(engine, "other", "sleep", "100000")
    pid = state(engine, "victim")["Pid"]
    os.kill(keeper_of(pid), signal.SIGKILL)
    assert engine.api("POST", "/containers/victim/wait").ok()["StatusCode"] == 137
    assert gone(pid)
    told = state(engine, "victim")
    assert (told["Status"], told["ExitCode"]) == ("exited", 137)
    assert "keeper" in told["Error"]
    assert state(engine, "other")["Status"] == "running"
    engine.api("POST", "/containers/victim/start").ok()
    assert state(engine, "victim")["Status"] == "running"


def test_a_keeper_killed_while_no_daemon_looks_is_found_at_the_start(make_pierd: Make) -> None:
    engine = make_pierd()
    run(engine, "victim", "sleep", "100000")
    pid = state(engine, "victim")["Pid"]
    engine.kill()
    os.kill(keeper_of(pid), signal.SIGKILL)
    engine.start()
    told = state(engine, "victim")
    assert (told["Status"], told["ExitCode"]) == ("exited", 137)
    wait_until(lambda: gone(pid), "nothing of the container lives on")


def test_what_no_record_names_is_swept(make_pierd: Make) -> None:
    engine = make_pierd()
    engine.kill()
    orphan = engine.data_root / "containers" / ("0" * 64)
    (orphan / "upper").mkdir(parents=True)
    grave = engine.data_root / "tmp" / ("removed-" + "1" * 64)
    grave.mkdir()
    engine.start()
    assert not orphan.exists()
    assert not grave.exists()


def test_names_and_files_outlive_a_restart(make_pierd: Make) -> None:
    engine = make_pierd()
    first = run(engine, "keeps", "sh", "-c", "echo made > /file")
    engine.api("POST", "/containers/keeps/wait").ok()
    engine.restart()
    assert engine.api("GET", "/containers/keeps/json").ok()["Id"] == first
    conflict = engine.api("POST", "/containers/create?name=keeps", {"Image": "busybox"})
    assert conflict.status == 409
    assert conflict.message == (
        f'Conflict. The container name "/keeps" is already in use by container "{first}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
