"""The life of a container by the docker command line: create, start, stop, kill, restart, rename, remove, list."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


@pytest.fixture
def sleeper(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """A running container that ends on SIGTERM; removed after the test."""
    name = "sleeper-" + re.sub(r"[^a-z]+", "-", request.node.originalname)
    engine.docker("run", "-d", "--name", name, "--init", "busybox", "sleep", "100000").ok()
    yield name
    engine.api("DELETE", f"/containers/{name}?force=1&v=1")


def status(engine: Engine, name: str) -> str:
    return str(engine.api("GET", f"/containers/{name}/json").ok()["State"]["Status"])


def test_files_survive_stop_and_start_and_go_with_rm(engine: Engine) -> None:
    engine.docker("run", "--name", "keeps", "busybox", "sh", "-c", "test -e /made && cat /made; echo kept >/made").ok()
    assert engine.docker("start", "-a", "keeps").ok() == "kept"
    engine.docker("rm", "keeps").ok()
    assert engine.docker("start", "keeps").code == 1
    assert engine.docker("run", "--rm", "busybox", "ls", "/made").code == 1


def test_stop_sends_the_stop_signal_first(engine: Engine) -> None:
    script = "trap 'echo got it; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
    engine.docker("run", "-d", "--name", "polite", "--stop-signal", "USR1", "busybox", "sh", "-c", script).ok()
    follow_until(engine, "polite", "ready")
    engine.docker("stop", "polite").ok()
    assert engine.docker("logs", "polite").ok() == "ready\ngot it"
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}} {{.State.Status}}", "polite").ok() == "5 exited"
    engine.docker("rm", "polite").ok()


def test_stop_kills_after_its_timeout(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "deaf", "busybox", "sleep", "100000").ok()
    engine.docker("stop", "-t", "1", "deaf").ok()
    assert engine.docker("inspect", "-f", "{{.State.ExitCode}}", "deaf").ok() == "137"
    engine.docker("rm", "deaf").ok()


def test_kill_with_a_signal(engine: Engine, sleeper: str) -> None:
    assert engine.docker("kill", "-s", "TERM", sleeper).ok() == sleeper
    assert engine.docker("wait", sleeper).ok() == "143"


def test_restart_gives_a_new_process(engine: Engine, sleeper: str) -> None:
    before = engine.docker("inspect", "-f", "{{.State.Pid}}", sleeper).ok()
    engine.docker("restart", sleeper).ok()
    assert engine.docker("inspect", "-f", "{{.State.Pid}}", sleeper).ok() != before
    assert status(engine, sleeper) == "running"


def test_pause_and_unpause(engine: Engine, sleeper: str) -> None:
    engine.docker("pause", sleeper).ok()
    assert status(engine, sleeper) == "paused"
    assert "is paused" in engine.docker("exec", sleeper, "true").stderr
    engine.docker("unpause", sleeper).ok()
    assert engine.docker("exec", sleeper, "echo", "again").ok() == "again"


def test_rename(engine: Engine, sleeper: str) -> None:
    engine.docker("rename", sleeper, "renamed").ok()
    assert engine.docker("inspect", "-f", "{{.Name}}", "renamed").ok() == "/renamed"
    engine.docker("rename", "renamed", sleeper).ok()


def test_a_running_container_is_not_removed_without_force(engine: Engine, sleeper: str) -> None:
    result = engine.docker("rm", sleeper)
    assert result.code == 1
    assert "You cannot remove a running container" in result.stderr or "container is running" in result.stderr
    engine.docker("rm", "-f", sleeper).ok()
    assert "No such container" in engine.docker("inspect", "--type", "container", sleeper).stderr


def test_ps_shows_what_docker_shows(engine: Engine, sleeper: str) -> None:
    line = json.loads(engine.docker("ps", "--no-trunc", "--filter", f"name={sleeper}", "--format", "{{json .}}").ok())
    assert (line["Names"], line["Image"], line["State"]) == (sleeper, "busybox", "running")
    assert line["Command"] == '"sleep 100000"' or line["Command"].endswith('sleep 100000"')
    assert re.match(r"Up (Less than a second|\d+ seconds?)", line["Status"])


def test_ps_filters(engine: Engine, sleeper: str) -> None:
    engine.docker("create", "--name", "labelled", "-l", "colour=blue", "busybox").ok()
    assert engine.docker("ps", "-a", "--filter", "label=colour=blue", "--format", "{{.Names}}").ok() == "labelled"
    assert engine.docker("ps", "-aq", "--filter", "label=colour=red").ok() == ""
    names = engine.docker("ps", "-a", "--filter", "status=created", "--format", "{{.Names}}").ok().split()
    assert "labelled" in names
    assert sleeper not in names
    engine.docker("rm", "labelled").ok()


def test_names_are_made_of_an_adjective_and_a_person(engine: Engine) -> None:
    container = engine.docker("create", "busybox").ok()
    name = engine.docker("inspect", "-f", "{{.Name}}", container).ok()
    engine.docker("rm", container).ok()
    assert re.fullmatch(r"/[a-z]+_[a-z]+\d?", name)


def test_rm_flag_removes_the_container_with_anonymous_volumes(engine: Engine) -> None:
    before = engine.docker("volume", "ls", "-q").ok()
    engine.docker("run", "--rm", "--name", "gone", "-v", "/data", "busybox", "touch", "/data/x").ok()
    assert engine.docker("ps", "-aq", "--filter", "name=gone").ok() == ""
    assert engine.docker("volume", "ls", "-q").ok() == before


def test_inspect_tells_what_was_asked_for(engine: Engine) -> None:
    engine.docker(
        "create", "--name", "asked", "-e", "A=1", "-l", "k=v", "-w", "/tmp", "-m", "64m", "--cpus", "0.5",
        "--pids-limit", "50", "-p", "127.0.0.1:0:80/tcp", "--restart", "on-failure:3", "-v", "vol-asked:/data:ro",
        "--network", "bridge", "busybox", "echo", "x",
    ).ok()  # fmt: skip
    told = engine.api("GET", "/containers/asked/json").ok()
    engine.docker("rm", "-v", "asked").ok()
    engine.docker("volume", "rm", "vol-asked").ok()
    config, host = told["Config"], told["HostConfig"]
    assert (told["Path"], told["Args"], config["WorkingDir"], config["Labels"]) == ("echo", ["x"], "/tmp", {"k": "v"})
    assert "A=1" in config["Env"]
    assert (host["Memory"], host["NanoCpus"], host["PidsLimit"]) == (64 << 20, 500_000_000, 50)
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}
    mounts = [(mount["Name"], mount["Destination"], mount["RW"]) for mount in told["Mounts"]]
    assert mounts == [("vol-asked", "/data", False)]
    assert told["State"]["Status"] == "created"


def test_attach_shows_output_and_passes_input(engine: Engine) -> None:
    engine.docker("create", "-i", "--name", "attached", "busybox", "sh").ok()
    result = engine.docker("start", "-a", "-i", "attached", stdin="echo $((6*7)); exit 4\n")
    engine.docker("rm", "attached").ok()
    assert (result.code, result.stdout) == (4, "42\n")


def test_events_tell_the_life(engine: Engine) -> None:
    since = engine.api("GET", "/info").ok()["SystemTime"]
    engine.docker("run", "--rm", "--name", "eventful", "busybox", "true").ok()
    until = engine.api("GET", "/info").ok()["SystemTime"]
    listed = engine.docker(
        "events", "--since", since, "--until", until, "--filter", "container=eventful", "--format", "{{.Action}}"
    ).ok()
    actions = [action for action in listed.split() if action in ("create", "attach", "start", "die", "destroy")]
    assert actions[0] == "create"
    assert {"create", "attach", "start", "die"} <= set(actions)


def follow_until(engine: Engine, name: str, text: str) -> None:
    """Read the container's log until a line is there."""
    from tests.support.commands import wait_until

    wait_until(lambda: text in engine.docker("logs", name).stdout, f"{name} says {text!r}")
