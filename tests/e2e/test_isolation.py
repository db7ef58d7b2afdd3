"""Isolation by choice, seen from inside: joined namespaces, devices, profiles, privileges. The same on dockerd."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]


def sh(engine: Engine, script: str, *flags: str) -> str:
    """What a shell prints in a container without a network."""
    return engine.docker("run", "--rm", "--network", "none", *flags, "busybox", "sh", "-c", script).ok()


@pytest.fixture
def donor(engine: Engine) -> Iterator[str]:
    """A running container that others may join."""
    script = "echo hello > /dev/shm/file; sleep 100000"
    flags = ("--network", "none", "--ipc", "shareable", "--hostname", "donor")
    engine.docker("run", "-d", "--name", "donor", *flags, "busybox", "sh", "-c", script).ok()
    # the file is there before the first process sleeps
    engine.docker("exec", "donor", "sh", "-c", "until test -s /dev/shm/file; do :; done").ok()
    yield "donor"
    engine.docker("rm", "-f", "donor").ok()


def test_other_containers_are_joined(engine: Engine, donor: str) -> None:
    assert sh(engine, "cat /dev/shm/file", "--ipc", f"container:{donor}") == "hello"
    processes = sh(engine, "cat /proc/1/cmdline | tr '\\0' ' '", "--pid", f"container:{donor}")
    assert "sleep 100000" in processes
    command = ("run", "--rm", "--network", f"container:{donor}", "busybox", "readlink", "/proc/self/ns/net")
    assert engine.docker(*command).ok() == engine.docker("exec", donor, "readlink", "/proc/self/ns/net").ok()


def test_a_private_ipc_namespace_is_not_joined(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "alone", "--network", "none", "busybox", "sleep", "100000").ok()
    result = engine.docker("run", "--rm", "--network", "none", "--ipc", "container:alone", "busybox", "true")
    engine.docker("rm", "-f", "alone").ok()
    assert result.code == 125
    assert "non-shareable IPC" in result.stderr


@pytest.mark.parametrize("flag", ["--ipc", "--pid", "--network"])
def test_a_container_that_is_not_there_is_not_joined(engine: Engine, flag: str) -> None:
    result = engine.docker("run", "--rm", flag, "container:nobody", "busybox", "true")
    assert result.code == 125
    assert "No such container: nobody" in result.stderr


def test_the_hosts_namespaces_are_shared_on_request(engine: Engine) -> None:
    script = "for n in uts pid ipc; do readlink /proc/self/ns/$n; done"
    inside = sh(engine, script, "--uts", "host", "--pid", "host", "--ipc", "host").split()
    assert inside == [str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("uts", "pid", "ipc")]


def test_a_private_cgroup_namespace_shows_its_own_root(engine: Engine) -> None:
    lines = sh(engine, "cat /proc/self/cgroup", "--cgroupns", "private").splitlines()
    assert {line.split(":", 2)[2] for line in lines} == {"/"}


def test_a_device_is_given_with_its_permissions(engine: Engine) -> None:
    script = "stat -c '%t %T' /dev/full2; head -c 1 /dev/full2 | wc -c"
    assert sh(engine, script, "--device", "/dev/full:/dev/full2") == "1 7\n1"
    refused = sh(engine, "head -c1 /dev/k 2>&1; true", "--device", "/dev/kmsg:/dev/k:w")
    assert "Operation not permitted" in refused


def test_a_missing_device_is_named(engine: Engine) -> None:
    result = engine.docker("run", "--rm", "--network", "none", "--device", "/dev/nope", "busybox", "true")
    assert result.code == 127, "the client looks for the words «no such file»"
    assert 'error gathering device information while adding custom device "/dev/nope"' in result.stderr


def test_a_device_rule_allows_what_it_names(engine: Engine) -> None:
    script = "mknod /dev/x c 1 11; dd if=/dev/x of=/dev/null bs=8192 count=1 2>&1 | tail -1; true"
    assert "not permitted" in sh(engine, script, "--cap-add", "SYSLOG")
    assert "not permitted" not in sh(engine, script, "--cap-add", "SYSLOG", "--device-cgroup-rule", "c 1:11 r")


def test_a_profile_of_the_users_filters(engine: Engine, tmp_path: Path) -> None:
    call = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    profile = tmp_path / "profile.json"
    profile.write_text(json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [call]}))
    assert "No space left" in sh(engine, "mkdir /x 2>&1; true", "--security-opt", f"seccomp={profile}")
    profile.write_text("{")
    result = engine.docker("run", "--rm", "--security-opt", f"seccomp={profile}", "busybox", "true")
    assert result.code == 125


def test_masked_paths_can_be_bared(engine: Engine) -> None:
    assert sh(engine, "head -c 10 /proc/timer_list") == ""
    assert sh(engine, "head -c 10 /proc/timer_list", "--security-opt", "systempaths=unconfined") == "Timer List"


def test_a_bind_propagates_only_from_a_shared_mount(engine: Engine, tmp_path: Path) -> None:
    result = engine.docker("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/x:shared", "busybox", "true")
    assert result.code == 125
    assert "not a shared mount" in result.stderr


def test_the_score_of_the_oom_killer_is_set(engine: Engine) -> None:
    assert sh(engine, "cat /proc/self/oom_score_adj", "--oom-score-adj", "500") == "500"


def test_limits_change_while_the_container_runs(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "grown", "--network", "none", "-m", "64m", "busybox", "sleep", "100000").ok()
    engine.docker("update", "-m", "128m", "--memory-swap", "256m", "--cpus", "0.5", "grown").ok()
    host_config = engine.api("GET", "/containers/grown/json").ok()["HostConfig"]
    too_low = engine.docker("update", "-m", "1k", "grown")
    engine.docker("rm", "-f", "grown").ok()
    assert (host_config["Memory"], host_config["MemorySwap"]) == (128 << 20, 256 << 20)
    assert "Minimum memory limit allowed is 6MB" in too_low.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("-u", "nobody-here"), "unable to find user nobody-here: no matching entries in passwd file"),
        (("-u", "4294967296"), "uids and gids must be in range 0-2147483647"),
        (("--sysctl", "kernel.msgmax=x\ny"), ""),
        (("--security-opt", "foo=bar"), 'invalid --security-opt 2: "foo=bar"'),
        (("--cap-add", "FOO"), "unknown capability"),
        (("--tmpfs", "relative"), "mount path must be absolute"),
        (("--group-add", "nobody-here"), "nable to find group nobody-here: no matching entries in group file"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(engine: Engine, flags: tuple[str, ...], message: str) -> None:
    result = engine.docker("run", "--rm", "--network", "none", *flags, "busybox", "true")
    assert result.code == 125
    assert message in result.stderr
