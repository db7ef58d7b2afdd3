"""Scenarios of quantity: a hundred containers, an engine with nothing to do, a million log lines."""

import subprocess
import time
from collections.abc import Sequence

from bench.engines import BenchDockerd, BenchPierd
from bench.measure import Row, in_turn, pss_mib, seconds
from tests.support.engines import Engine

COUNT = 100
LINES = 1_000_000
WRITER = f"yes {'7' * 99} | head -n {LINES}"


def hundred(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """100 detached containers by the docker command line, one after the other."""
    total = Row(f"{COUNT} × `docker run -d`, one after the other", "s", goal=5.0)
    each = Row(f"engine's memory per container (PSS, {COUNT} running)", "MiB", limit=1.0)
    listing = Row(f"`docker ps` with {COUNT} running", "ms")
    for engine in engines:
        assert isinstance(engine, BenchPierd | BenchDockerd)
        before = pss_mib(engine.processes())
        values = (
            (total.pier, each.pier, listing.pier)
            if engine.kind == "pierd"
            else (total.dockerd, each.dockerd, listing.dockerd)
        )
        values[0].append(seconds(lambda: [_detached(engine) for _ in range(COUNT)]))
        values[1].append((pss_mib(engine.processes()) - before) / COUNT)
        for _ in range(max(5, pairs // 2)):
            values[2].append(seconds(lambda: engine.docker("ps").ok()) * 1e3)
        engine.remove_containers()
    return [total, each, listing]


def idle(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """Memory with nothing to do, after a run: the daemon with its spawner, and all processes that it keeps ready."""
    alone = Row("idle: `pierd` and its spawner (dockerd: dockerd and containerd), PSS", "MiB", limit=80.0)
    everything = Row("idle: every process of the engine, PSS", "MiB")
    for engine in engines:
        assert isinstance(engine, BenchPierd | BenchDockerd)
        engine.docker("run", "--rm", "busybox", "true").ok()
        all_of_it = pss_mib(engine.processes())
        if isinstance(engine, BenchPierd):
            alone.pier.append(pss_mib(engine.daemon_processes()))
            everything.pier.append(all_of_it)
        else:
            alone.dockerd.append(all_of_it)
            everything.dockerd.append(all_of_it)
    return [alone, everything]


def logs(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """A million lines of 100 bytes: until the container that writes them is over, and read back by `docker logs`."""
    written = Row("1,000,000 log lines written (container's life)", "s", limit=1.5)
    read = Row("1,000,000 log lines read by `docker logs`", "s", limit=2.5)
    for turn in range(max(1, pairs // 7)):
        for engine in in_turn(engines, turn):
            ours = engine.kind == "pierd"
            begin = time.perf_counter()
            engine.docker("run", "-d", "--name", "bench-logs", "busybox", "sh", "-c", WRITER).ok()
            assert engine.docker("wait", "bench-logs", timeout=300).ok() == "0"
            (written.pier if ours else written.dockerd).append(time.perf_counter() - begin)
            (read.pier if ours else read.dockerd).append(seconds(lambda: _count_lines(engine)))
            engine.docker("rm", "bench-logs").ok()
    return [written, read]


def _detached(engine: Engine) -> str:
    return engine.docker("run", "-d", "busybox", "sleep", "100000").ok()


def _count_lines(engine: Engine) -> None:
    counted = subprocess.run(
        ["docker", "logs", "bench-logs"],
        env=engine.client_environment(),
        stdout=subprocess.PIPE,
        check=True,
        timeout=300,
    )
    assert counted.stdout.count(b"\n") == LINES
