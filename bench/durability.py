"""Scenarios of endurance: kill -9 of the daemon under work, and many runs with nothing left behind."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

from bench.engines import BenchPierd
from bench.measure import Row
from tests.support import host
from tests.support.commands import run, wait_until
from tests.support.engines import Engine

CONTAINERS = 20
# Numbered lines, so that a lost or doubled one shows; the exit code is the container's own number.
WRITER = "i=0; while [ $i -lt {lines} ]; do i=$((i+1)); echo line $i; sleep 0.05; done; exit {code}"


def crash(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """Kill -9 with 20 containers that write and exit meanwhile; every line and every exit code is checked."""
    again = Row(f"daemon answers again after kill -9 ({CONTAINERS} containers)", "s", limit=1.0)
    for engine in engines:
        if isinstance(engine, BenchPierd):
            for _ in range(min(pairs, 5)):
                again.pier.append(_crash_once(engine))
    return [again]


def _crash_once(engine: BenchPierd) -> float:
    lines = {number: 40 + 10 * number for number in range(CONTAINERS)}
    for number, expected in lines.items():
        program = WRITER.format(lines=expected, code=number)
        engine.docker("run", "-d", "--name", f"crash{number}", "busybox", "sh", "-c", program).ok()
    engine.kill()
    time.sleep(2)  # the daemon is away while containers write and some of them end
    begin = time.perf_counter()
    engine.launch()
    wait_until(engine.answers, "the daemon answers again", seconds=30, interval=0.005)
    taken = time.perf_counter() - begin
    for number, expected in lines.items():
        name = f"crash{number}"
        assert engine.docker("wait", name, timeout=120).ok() == str(number), name
        written = engine.docker("logs", name).ok().splitlines()
        assert written == [f"line {line}" for line in range(1, expected + 1)], (
            f"{name}: {len(written)} of {expected} lines"
        )
        engine.docker("rm", name).ok()
    return taken


def soak(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`pairs` runs, after a tenth of them as a warm-up; then everything is compared with what it was."""
    grown = Row(f"growth of the daemon over {pairs} runs", "%", limit=2.0)
    left = Row(f"things left behind by {pairs} runs", "things", limit=0.0)
    for engine in engines:
        if not isinstance(engine, BenchPierd):
            continue
        things, growth = _soak_once(engine, pairs)
        left.pier.append(things)
        grown.pier.append(growth)
    return [grown, left]


def _soak_once(engine: BenchPierd, cycles: int) -> tuple[int, float]:
    """How many things stayed, and by how much (in percent) the daemon's memory grew."""
    _cycles(engine, max(50, cycles // 10))
    # The pools of what is made ahead are full again, and the last links gone, when nothing changes any more.
    wait_until(lambda: _settled(engine), "the pools are full", seconds=20)
    before, memory = _state(engine), _resident(engine.pid)
    _cycles(engine, cycles)
    wait_until(lambda: _state(engine) == before or _settled(engine), "the last links are gone", seconds=20)
    after = _state(engine)
    for name in sorted(after):
        if after[name] != before[name]:
            print(f"  {name}: {before[name]} before, {after[name]} after")
    left = sum(max(0, after[name] - before[name]) for name in after)
    return left, max(0.0, 100 * (_resident(engine.pid) - memory) / memory)


def _cycles(engine: Engine, number: int) -> None:
    for _ in range(number):
        engine.docker("run", "--rm", "busybox", "true").ok()


def _settled(engine: BenchPierd) -> bool:
    """Nothing changes any more for three seconds."""
    first = _state(engine)
    time.sleep(3)
    return _state(engine) == first


def _state(engine: BenchPierd) -> dict[str, int]:
    """Counts of everything that a run makes."""
    held = engine.holdings()
    pids = engine.processes()
    return {
        "mounts": len(host.mounts()),
        "links": len(_links_of(engine.pid)),
        "elements of nftables": _elements_of(engine.pid),
        "cgroups": len(held.cgroups),
        "processes": len(pids),
        "descriptors of the daemon": len(os.listdir(f"/proc/{engine.pid}/fd")),
        "files under the data root": sum(len(files) for _, _, files in os.walk(engine.data_root)),
        "directories under the data root": sum(len(names) for _, names, _ in os.walk(engine.data_root)),
        "files under the exec root": sum(len(names) + len(files) for _, names, files in os.walk(engine.exec_root)),
    }


def _links_of(pid: int) -> list[str]:
    """Links of a process's network namespace."""
    return [line.split(":")[0].strip() for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]]


def _elements_of(pid: int) -> int:
    """Elements of the sets and maps in a process's network namespace."""
    listed = json.loads(run(["nsenter", "-t", str(pid), "-n", "nft", "-j", "list", "ruleset"]).ok())["nftables"]
    return sum(len(thing[kind].get("elem", ())) for thing in listed for kind in ("set", "map") if kind in thing)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
