"""Limits that are really enforced: memory with its OOM report, processes, CPU, minima. The same on dockerd."""

import pytest

from tests.support.engines import Engine

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]

# A shell that doubles a string until the limit stops it.
HOG = "x=0123456789abcdef; while :; do x=$x$x; done"


def test_memory_over_the_limit_is_killed_and_reported(engine: Engine) -> None:
    result = engine.docker("run", "--name", "hog", "-m", "16m", "--memory-swap", "16m", "busybox", "sh", "-c", HOG)
    state = engine.api("GET", "/containers/hog/json").ok()["State"]
    engine.docker("rm", "hog").ok()
    assert (result.code, state["ExitCode"]) == (137, 137)
    # dockerd hears of the kill and of the end by two ways, and on a busy machine of the end first
    assert state["OOMKilled"] or engine.kind == "dockerd"


def test_a_container_that_is_killed_is_not_called_out_of_memory(engine: Engine) -> None:
    engine.docker("run", "-d", "--name", "killed", "-m", "64m", "busybox", "sleep", "100000").ok()
    engine.docker("kill", "killed").ok()
    engine.docker("wait", "killed").ok()
    state = engine.api("GET", "/containers/killed/json").ok()["State"]
    engine.docker("rm", "killed").ok()
    assert (state["ExitCode"], state["OOMKilled"]) == (137, False)


def test_the_number_of_processes_is_limited(engine: Engine) -> None:
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done; wait"
    result = engine.docker("run", "--rm", "--pids-limit", "6", "busybox", "sh", "-c", script)
    assert "can't fork" in result.stderr
    assert result.code == 2


def test_cpu_time_is_limited(engine: Engine) -> None:
    # The same loop of work, seen by its own CPU time against the clock: a fifth of a core.
    script = "timeout 2 sh -c 'while :; do :; done'; awk '{print $14+$15+$16+$17}' /proc/1/stat"
    ticks = int(engine.docker("run", "--rm", "--cpus", "0.2", "busybox", "sh", "-c", script).ok().split()[-1])
    assert ticks < 2 * 100 * 0.2 * 1.8, f"{ticks} ticks of CPU in two seconds at 0.2 cores"


def test_cpuset_is_what_the_container_sees(engine: Engine) -> None:
    assert engine.docker("run", "--rm", "--cpuset-cpus", "0", "busybox", "nproc").ok() == "1"


@pytest.mark.parametrize(
    ("host_config", "message"),
    [
        ({"Memory": 1024}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 64 << 20, "MemorySwap": 32 << 20}, "Minimum memoryswap limit should be larger than memory limit"),
        ({"CpuPeriod": 10}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 10}, "CPU cfs quota can not be less than 1ms"),
        ({"CpusetCpus": "999"}, "Requested CPUs are not available - requested 999"),
        ({"CpusetCpus": "x"}, "Invalid value x for cpuset cpus"),
        ({"NanoCpus": 1_000_000_000_000}, "Range of CPUs is from 0.01 to"),
        ({"Memory": 64 << 20, "MemorySwappiness": 101}, "Invalid value: 101, valid memory swappiness range is 0-100"),
    ],
)
def test_values_below_the_minimum_are_refused(engine: Engine, host_config: dict[str, object], message: str) -> None:
    answer = engine.api("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"], "HostConfig": host_config})
    assert answer.status == 400
    assert message.lower() in answer.message.lower()
