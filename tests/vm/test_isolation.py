"""Containers on a host of systemd, cgroup v2 alone and AppArmor: limits, devices and confinement seen from inside."""

import pytest

from tests.support.pierd import Pierd

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.docker_cli]


def sh(pierd: Pierd, script: str, *flags: str) -> str:
    """What a shell prints in a container without a network."""
    return pierd.docker("run", "--rm", "--network", "none", *flags, "busybox", "sh", "-c", script).ok()


def test_limits_are_in_the_containers_own_group(pierd: Pierd) -> None:
    flags = ("-m", "64m", "--memory-swap", "96m", "--cpus", "0.5", "--cpu-shares", "512", "--pids-limit", "20")
    script = "cd /sys/fs/cgroup; cat memory.max memory.swap.max cpu.max cpu.weight pids.max; cat /proc/self/cgroup"
    memory, swap, cpu, weight, pids, group = sh(pierd, script, *flags, "--cpuset-cpus", "0").splitlines()
    assert (memory, swap, cpu, weight, pids) == (str(64 << 20), str(32 << 20), "50000 100000", "59", "20")
    assert group == "0::/", "a private cgroup namespace is the default on v2"


def test_its_group_is_read_only(pierd: Pierd) -> None:
    assert "Read-only" in sh(pierd, "echo 1 2>&1 > /sys/fs/cgroup/cgroup.kill; true")
    assert "Read-only" in sh(pierd, "mkdir /sys/fs/cgroup/x 2>&1; true")


def test_running_out_of_memory_is_reported(pierd: Pierd) -> None:
    hog = "x=0123456789abcdef; while :; do x=$x$x; done"
    result = pierd.docker("run", "--name", "hog", "--network", "none", "-m", "16m", "busybox", "sh", "-c", hog)
    state = pierd.api("GET", "/containers/hog/json").ok()["State"]
    pierd.docker("rm", "hog").ok()
    assert (result.code, state["OOMKilled"]) == (137, True)


def test_devices_are_guarded_by_a_program(pierd: Pierd) -> None:
    script = (
        "mknod /dev/x c 1 11; dd if=/dev/x of=/dev/null bs=8192 count=1 2>&1 | tail -1; head -c 1 /dev/zero | wc -c"
    )
    refused, zero = sh(pierd, script, "--cap-add", "SYSLOG").splitlines()
    assert "not permitted" in refused
    assert zero == "1"
    assert "not permitted" not in sh(pierd, script, "--cap-add", "SYSLOG", "--device-cgroup-rule", "c 1:11 r")


def test_the_default_profile_confines_and_privileged_is_unconfined(pierd: Pierd) -> None:
    assert sh(pierd, "cat /proc/self/attr/current") == "docker-default (enforce)"
    assert sh(pierd, "cat /proc/self/attr/current", "--privileged") == "unconfined"
    assert sh(pierd, "cat /proc/self/attr/current", "--security-opt", "apparmor=unconfined") == "unconfined"
    mounted = sh(
        pierd, "mount -t tmpfs x /tmp 2>&1; mkdir -p /y; mount -t tmpfs x /y 2>&1; true", "--cap-add", "SYS_ADMIN"
    )
    assert "ermission denied" in mounted or "are you root" in mounted


def test_a_profile_that_is_not_loaded_is_an_error(pierd: Pierd) -> None:
    result = pierd.docker("run", "--rm", "--security-opt", "apparmor=nobody-has-this", "busybox", "true")
    assert result.code != 0
    assert "apparmor" in result.stderr.lower()


def test_limits_change_while_it_runs_and_it_pauses(pierd: Pierd) -> None:
    pierd.docker("run", "-d", "--name", "grown", "--network", "none", "-m", "64m", "busybox", "sleep", "100000").ok()
    pierd.docker("update", "-m", "128m", "--memory-swap", "128m", "--pids-limit", "7", "grown").ok()
    seen = pierd.docker("exec", "grown", "sh", "-c", "cd /sys/fs/cgroup; cat memory.max memory.swap.max pids.max").ok()
    pierd.docker("pause", "grown").ok()
    paused = pierd.api("GET", "/containers/grown/json").ok()["State"]["Status"]
    pierd.docker("unpause", "grown").ok()
    pierd.docker("rm", "-f", "grown").ok()
    assert seen.split() == [str(128 << 20), "0", "7"]
    assert paused == "paused"
