"""Scenarios of images: pull, push, load, save, import, a long list, a removal. Both engines use the same content and
each a registry in its own network namespace; what one has written is on the disk before the other's turn.
"""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.engines import children
from bench.image_sources import DEBIAN, FILES, LAYERS, SOURCES, STORAGE, Source, prepare
from bench.measure import Row, in_turn, pss_mib, seconds
from tests.support.engines import Engine
from tests.support.registry import Registry

_MAX_PAIRS = 5
_SAMPLE = 0.05  # seconds between two looks at the memory
_MEMORY = 200.0  # MiB
_IMAGES = 1000
_PULL_GOALS = {DEBIAN: 1 / 0.6, FILES: 1 / 0.6, LAYERS: 1 / 0.5}
_WAIT = 900


def pull(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`POST /images/create?fromImage=…` of an image that is not there."""

    def work(engine: Engine, source: Source) -> float:
        with _registry(engine, STORAGE) as address:
            taken = _timed(lambda: _pull(engine, address, source))
            _remove(engine, f"{address}/{source.name}")
            return taken

    return _compare("pull", engines, pairs, work, _PULL_GOALS)


def push(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """Push what was pulled to an empty registry."""

    def work(engine: Engine, source: Source) -> float:
        with _registry(engine, STORAGE) as origin:
            _pull(engine, origin, source)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as empty, _registry(engine, Path(empty)) as address:
            engine.docker("tag", f"{origin}/{source.name}", f"{address}/{source.name}").ok()
            taken = _timed(lambda: engine.docker("push", "-q", f"{address}/{source.name}", timeout=_WAIT).ok())
            _remove(engine, f"{address}/{source.name}", f"{origin}/{source.name}")
            return taken

    return _compare("push", engines, pairs, work, dict.fromkeys(SOURCES, 1 / 0.7))


def load(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`docker load` of an archive with plain layers."""

    def work(engine: Engine, source: Source) -> float:
        taken = _timed(lambda: _load(engine, source))
        _remove(engine, source.name)
        return taken

    return _compare("load", engines, pairs, work, dict.fromkeys(SOURCES, 2.0))


def save(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`docker save` to a file."""

    def work(engine: Engine, source: Source) -> float:
        _load(engine, source)
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            target = f"{directory}/image.tar"
            taken = _timed(lambda: engine.docker("save", "-o", target, source.name, timeout=_WAIT).ok())
        _remove(engine, source.name)
        return taken

    return _compare("save", engines, pairs, work, dict.fromkeys(SOURCES, 2.0))


def import_(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`docker import` of a root file system."""

    def work(engine: Engine, source: Source) -> float:
        taken = _timed(lambda: engine.docker("import", str(source.tree), source.name, timeout=_WAIT).ok())
        _remove(engine, source.name)
        return taken

    return _compare("import", engines, pairs, work, {DEBIAN: 2.0, FILES: 2.0})


def images_list(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`GET /images/json` with a thousand images, and how soon the removal of many files answers."""
    prepare()
    listed = Row(f"list of {_IMAGES:,} images, in the daemon", "ms", limit=15.0)
    removed = Row(f"removal of {FILES.title}, until it answers", "ms", limit=100.0)
    for turn in range(min(pairs, _MAX_PAIRS)):
        for engine in in_turn(engines, turn):
            _load(engine, FILES)
            removed.of(engine.kind).append(_timed(lambda: _remove(engine, FILES.name)) * 1e3)
    for engine in engines:
        for number in range(_IMAGES):
            query = f"fromSrc=-&repo=many&tag={number}&changes=LABEL%20number={number}"
            engine.api("POST", f"/images/create?{query}", raw=bytes(1024)).ok()
    for turn in range(3 * pairs):
        for engine in in_turn(engines, turn):
            taken = seconds(lambda: engine.api("GET", "/images/json").ok()) * 1e3
            listed.of(engine.kind).append(taken)
    for engine in engines:
        for number in range(_IMAGES):
            _remove(engine, f"many:{number}")
    return [listed, removed]


def _compare(
    what: str,
    engines: Sequence[Engine],
    pairs: int,
    work: Callable[[Engine, Source], float],
    goals: dict[Source, float],
) -> list[Row]:
    """One row an image; the turn before the first measures the memory instead."""
    prepare()
    memory = Row(f"{what}: peak memory of the daemon's processes (PSS)", "MiB", limit=_MEMORY)
    rows = [memory]
    for source, goal in goals.items():
        row = Row(f"{what} of {source.title}", "s", goal=goal)
        for turn in range(-1, min(pairs, _MAX_PAIRS)):
            for engine in in_turn(engines, turn):
                if turn < 0:
                    with _peak(engine) as peak:
                        work(engine, source)
                    memory.of(engine.kind).append(max(peak))
                else:
                    row.of(engine.kind).append(work(engine, source))
        rows.append(row)
    memory.pier, memory.dockerd = [max(memory.pier)], [max(memory.dockerd, default=0.0)]
    return rows


def _timed(work: Callable[[], object]) -> float:
    os.sync()
    return seconds(work)


@contextmanager
def _registry(engine: Engine, storage: Path) -> Iterator[str]:
    """A registry in the engine's network namespace; its address."""
    registry = Registry(storage=storage, prefix=("nsenter", "--net", "--target", str(engine.pid), "--"))
    try:
        yield registry.address
    finally:
        registry.close()


def _pull(engine: Engine, address: str, source: Source) -> None:
    answer = engine.api("POST", f"/images/create?fromImage={address}/{source.name}&tag=latest", timeout=_WAIT)
    assert answer.status == 200, answer.body
    assert b'"error"' not in answer.body, answer.body[-500:]


def _load(engine: Engine, source: Source) -> None:
    engine.docker("load", "-q", "-i", str(source.archive), timeout=_WAIT).ok()


def _remove(engine: Engine, *names: str) -> None:
    for name in names:
        engine.api("DELETE", f"/images/{name}", timeout=_WAIT).ok()


@contextmanager
def _peak(engine: Engine) -> Iterator[list[float]]:
    """Looks at the memory of the daemon and all processes below it until the end of the block."""
    seen = [0.0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_SAMPLE):
            seen.append(pss_mib(_family(engine.pid)))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> list[int]:
    return [pid, *(below for child in children(pid) for below in _family(child))]
