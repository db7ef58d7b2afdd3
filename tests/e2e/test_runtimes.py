"""The same containers by the built-in runtime and by runc: equal from inside, and the same to a user outside."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import wait_until
from tests.support.dockerd import Dockerd
from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.terminal import Terminal

RUNC = shutil.which("runc") or "/usr/sbin/runc"
pytestmark = [
    pytest.mark.root,
    pytest.mark.docker_cli,
    pytest.mark.skipif(not os.path.exists(RUNC), reason="no runc"),
]
BOTH = pytest.mark.parametrize("name", ["pier-runtime", "runc"])
# What a program can find out about its cage; numbers that differ from start to start are left out below.
_LOOK = """
grep -E '^(Umask|Uid|Gid|Groups|NoNewPrivs|Seccomp|Seccomp_filters|Cap...|SigBlk|SigIgn|SigCgt|Cpus_allowed):' \
    /proc/self/status
echo == environment; env | sort
echo == limits; cat /proc/self/limits
echo == mounts; cat /proc/self/mountinfo
echo == devices; ls -ln /dev | sort
echo == devpts; ls -ln /dev/pts /dev/shm /dev/mqueue
echo == group; cat /proc/self/cgroup
echo == device rules; sort /sys/fs/cgroup/devices/devices.list
echo == values; cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.shares; cd $OLDPWD
echo == score; cat /proc/self/oom_score_adj
echo == rest; hostname; pwd; id; ls -l /proc/self/fd | sed 's/.*-> //'; cat /proc/1/comm; ls /sys/class/net
"""
_FLAGS = {
    "plain": (),
    "limited": ("--memory", "64m", "--pids-limit", "50", "--cpu-shares", "300", "--ulimit", "nofile=100:200"),
    "dropped": ("--cap-drop", "ALL", "--cap-add", "NET_ADMIN", "--user", "1000:1001", "--group-add", "1002"),
    "locked": (
        "--security-opt",
        "no-new-privileges",
        "--read-only",
        "--tmpfs",
        "/scratch:size=1m",
        "--oom-score-adj",
        "7",
    ),
    "open": ("--security-opt", "seccomp=unconfined", "--device", "/dev/null:/dev/nothing", "--ipc", "host"),
    "privileged": ("--privileged",),
    "beside": ("--network", "none", "--workdir", "/tmp", "-e", "A=b c", "--hostname", "box", "--shm-size", "1m"),
}


# How the built-in runtime (-) differs from runc (+): no TUN device, no directory among the control groups' to write to.
_STRICTER = {
    "+ device rules: c 10:200 rwm",
    "- mounts: / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - tmpfs tmpfs mode=755",
    "+ mounts: / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime - tmpfs tmpfs mode=755",
}
# The host's multiplexer opens the devpts beside it, as the link does.
_PRIVILEGED = {
    "- devices: crw-rw-rw-    1 0        0           5,   2 DATE ptmx",
    "+ devices: lrwxrwxrwx    1 0        0                8 DATE ptmx -> pts/ptmx",
}


@pytest.fixture(scope="module")
def look() -> Callable[..., dict[str, list[str]]]:
    """What a container sees, by section."""

    def look(engine: Engine, *flags: str) -> dict[str, list[str]]:
        seen = engine.docker("run", "--rm", "--name", "looks", *flags, "busybox", "sh", "-c", _LOOK).ok()
        sections: dict[str, list[str]] = {}
        for part in ("status\n" + seen).split("== "):
            head, *lines = part.splitlines()
            sections[head] = [_lasting(line) for line in lines]
        sections["mounts"] = sorted(sections["mounts"])
        return sections

    return look


def _lasting(line: str) -> str:
    """A line without ids, dates, and the numbers of mounts, devices and peer groups."""
    line = re.sub(r"[0-9a-f]{64}|/(tmp|var|run)/\S*/(containers|layers|upper|l)/[^ ,:]*|[0-9a-f]{12}\b", "ID", line)
    line = re.sub(r"/(docker|pier-[0-9a-f]{8})/ID", "/ID", line)
    line = re.sub(r"[A-Z][a-z]{2} +\d+ +\d\d:\d\d", "DATE", line)
    line = re.sub(r"(pipe|socket):\[\d+\]", r"\1", line)
    found = re.match(r"\d+ \d+ \d+:\d+ (.*)", line)
    if not found:
        return line
    before, _, after = found[1].partition(" - ")
    words = [word for word in before.split() if not word.startswith(("shared:", "master:"))]
    kind, source, options = after.split()
    if kind == "overlay":
        return f"{' '.join(words)} - overlay"
    # whether the file system itself is read-only is all one below a mount that is
    kept = ",".join(option for option in options.split(",") if option not in ("rw", "ro"))
    return f"{' '.join(words)} - {kind} {source} {kept}"


def _different(ours: dict[str, list[str]], theirs: dict[str, list[str]]) -> set[str]:
    assert ours.keys() == theirs.keys()
    return {
        f"{mark} {section}: {line}"
        for section in ours
        for mark, one, other in (("-", ours, theirs), ("+", theirs, ours))
        for line in one[section]
        if line not in other[section]
    }


@pytest.mark.parametrize("flags", _FLAGS.values(), ids=_FLAGS)
def test_a_container_sees_the_same_by_both_runtimes(
    pierd: Pierd, look: Callable[..., dict[str, list[str]]], flags: tuple[str, ...]
) -> None:
    ours, runcs = (look(pierd, "--runtime", name, *flags) for name in ("pier-runtime", "runc"))
    different = _different(ours, runcs)
    assert different == (_PRIVILEGED if "--privileged" in flags else _STRICTER)


@pytest.mark.peer
def test_a_container_sees_what_it_sees_under_dockerd(
    pierd: Pierd, dockerd: Dockerd, look: Callable[..., dict[str, list[str]]]
) -> None:
    different = _different(look(pierd, "--runtime", "pier-runtime"), look(dockerd))
    assert different == _STRICTER | {"- mounts: /null /proc/interrupts rw,nosuid - tmpfs tmpfs size=65536k,mode=755"}


@BOTH
def test_output_input_and_exit_code(pierd: Pierd, name: str) -> None:
    run = ("run", "--rm", "--runtime", name)
    result = pierd.docker(*run, "-i", "busybox", "sh", "-c", "cat; echo err >&2; exit 7", stdin="in\n")
    assert (result.stdout, result.stderr, result.code) == ("in\n", "err\n", 7)
    assert pierd.docker(*run, "busybox", "nosuch").code == 127
    assert pierd.docker(*run, "busybox", "/etc").code == 126
    assert pierd.docker(*run, "--memory", "6m", "busybox", "sh", "-c", "x=a; while :; do x=$x$x; done").code == 137


@BOTH
def test_the_words_of_a_failed_start_are_dockers(pierd: Pierd, name: str) -> None:
    failed = pierd.docker("run", "--rm", "--runtime", name, "busybox", "nosuch").stderr
    assert (
        "OCI runtime create failed: runc create failed: unable to start container process: "
        'exec: "nosuch": executable file not found in $PATH: unknown'
    ) in failed


@BOTH
def test_a_life_with_exec_pause_top_stats_and_restart(pierd: Pierd, name: str) -> None:
    pierd.docker("run", "-d", "--runtime", name, "--init", "--name", "lives", "busybox", "sleep", "1000").ok()
    assert pierd.docker("inspect", "-f", "{{.HostConfig.Runtime}}", "lives").ok() == name
    assert pierd.docker("exec", "-i", "lives", "sh", "-c", "cat; exit 3", stdin="said\n").code == 3
    assert pierd.docker(
        "exec", "-u", "7:8", "-w", "/tmp", "-e", "A=b", "lives", "sh", "-c", "id -u; pwd; echo $A"
    ).ok() == ("7\n/tmp\nb")
    assert 'exec: "nosuch": executable file not found' in pierd.docker("exec", "lives", "nosuch").stdout
    assert "sleep 1000" in pierd.docker("top", "lives").ok()
    pierd.docker("pause", "lives").ok()
    assert pierd.docker("inspect", "-f", "{{.State.Status}}", "lives").ok() == "paused"
    pierd.docker("unpause", "lives").ok()
    pierd.docker("update", "--memory", "32m", "--memory-swap", "64m", "lives").ok()
    assert "32MiB" in pierd.docker("stats", "--no-stream", "lives").ok()
    pierd.docker("restart", "-t", "0", "lives").ok()
    assert pierd.docker("exec", "lives", "cat", "/proc/1/comm").ok().endswith("init")
    pierd.docker("stop", "-t", "5", "lives").ok()
    assert pierd.docker("inspect", "-f", "{{.State.ExitCode}}", "lives").ok() == "143"
    pierd.docker("rm", "lives").ok()


@BOTH
def test_a_terminal_is_used_and_resized(pierd: Pierd, name: str) -> None:
    terminal = Terminal(pierd.client_environment())
    try:
        terminal.type(f"docker run --rm -it --runtime {name} --name tty busybox sh; echo code=$?")
        terminal.expect("/ # ")
        terminal.type("echo tty=$(tty) size=$(stty size)")
        terminal.expect("tty=/dev/pts/0 size=30 100")
        terminal.resize(90, 25)
        terminal.type("until [ \"$(stty size)\" = '25 90' ]; do sleep 0.05; done; echo now=$(stty size)")
        terminal.expect("now=25 90")
        terminal.type("exit 5")
        terminal.expect("code=5")
    finally:
        terminal.close()


@BOTH
def test_containers_share_namespaces_and_mounts(pierd: Pierd, name: str) -> None:
    run = ("run", "--runtime", name)
    pierd.docker(
        *run, "-d", "--ipc", "shareable", "--name", "first", "busybox", "sh", "-c", "echo x >/dev/shm/x; sleep 1000"
    ).ok()
    joins = [word for kind in ("ipc", "network", "pid") for word in (f"--{kind}", "container:first")]
    command = (
        "until [ -e /dev/shm/x ]; do sleep 0.05; done; cat /dev/shm/x; ps | grep -c '[s]leep 1000'; ls /sys/class/net"
    )
    assert pierd.docker(*run, "--rm", *joins, "busybox", "sh", "-c", command).ok().split() == ["x", "1", "eth0", "lo"]
    pierd.docker("rm", "-f", "first").ok()


def test_a_container_of_runcs_outlives_the_daemon(make_pierd: Callable[..., Pierd]) -> None:
    pierd = make_pierd()
    pierd.docker("run", "-d", "--runtime", "runc", "--name", "stays", "busybox", "sleep", "1000").ok()
    pid = pierd.docker("inspect", "-f", "{{.State.Pid}}", "stays").ok()
    pierd.kill()
    assert Path(f"/proc/{pid}").exists()
    pierd.start()
    assert pierd.docker("inspect", "-f", "{{.State.Pid}}", "stays").ok() == pid
    assert pierd.docker("exec", "stays", "echo", "here").ok() == "here"
    pierd.docker("rm", "-f", "stays").ok()


def test_runtimes_are_configured_listed_reloaded_and_missed(make_pierd: Callable[..., Pierd], tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text(json.dumps({"runtimes": {"other": {"path": RUNC, "runtimeArgs": ["--debug"]}}}))
    pierd = make_pierd("--config-file", str(file))
    assert _listed(pierd) == {
        "pier-runtime": {"path": "pier-runtime"},
        "runc": {"path": "runc"},
        "other": {"path": RUNC, "runtimeArgs": ["--debug"]},
    }
    pierd.docker("create", "--runtime", "other", "--name", "made", "busybox", "true").ok()
    pierd.docker("start", "-a", "made").ok()
    refused = pierd.docker("run", "--rm", "--runtime", "foo", "busybox", "true")
    assert "Error response from daemon: unknown or invalid runtime name: foo" in refused.stderr
    file.write_text(json.dumps({"runtimes": {"gone": {"path": "/nosuch"}}, "default-runtime": "gone"}))
    os.kill(pierd.pid, signal.SIGHUP)
    wait_until(lambda: pierd.docker("info", "-f", "{{.DefaultRuntime}}").ok() == "gone", "the reload")
    assert "unknown or invalid runtime name: other" in pierd.docker("start", "made").stderr
    assert "fork/exec /nosuch: no such file or directory" in pierd.docker("run", "--rm", "busybox", "true").stderr
    assert pierd.docker("ps", "-aq").ok().count("\n") == 0
    pierd.docker("rm", "made").ok()


def _listed(engine: Engine) -> object:
    return json.loads(engine.docker("info", "-f", "{{json .Runtimes}}").ok())
