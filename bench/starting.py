"""Scenarios of starting: run, api, exec, clients."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from bench.measure import Row, in_turn, percentile, seconds
from tests.support.api import UnixConnection
from tests.support.engines import Engine

WARM_UP = 3


def run(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`docker run --rm busybox true` on the default bridge, and the command line's own floor."""
    row = Row("`docker run --rm busybox true`, bridge", "ms", goal=6.0)
    host = Row("the same, `--network host`", "ms")
    floor = Row("of that, the docker command line itself (`docker ps`)", "ms")
    for turn in range(-WARM_UP, pairs):
        for engine in in_turn(engines, turn):
            taken = seconds(lambda: engine.docker("run", "--rm", "busybox", "true").ok()) * 1e3
            on_host = seconds(lambda: engine.docker("run", "--rm", "--network", "host", "busybox", "true").ok()) * 1e3
            alone = seconds(lambda: engine.docker("ps", "-q").ok()) * 1e3
            if turn >= 0:
                _values(row, engine).append(taken)
                _values(host, engine).append(on_host)
                _values(floor, engine).append(alone)
    return [row, host, floor]


def api(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """Create and start over one connection; wait and delete are not counted."""
    median = Row("API create + start, bridge, median", "ms", goal=8.0, limit=20.0)
    last = Row("API create + start, bridge, 99th percentile", "ms", limit=60.0)
    taken: dict[str, list[float]] = {engine.kind: [] for engine in engines}
    for turn in range(-WARM_UP, pairs * 5):
        for engine in in_turn(engines, turn):
            with closing(UnixConnection(engine.socket, 60)) as connection:
                value = _create_and_start(connection) * 1e3
            if turn >= 0:
                taken[engine.kind].append(value)
    for engine in engines:
        _values(median, engine).extend(taken[engine.kind])
        _values(last, engine).append(percentile(taken[engine.kind], 99))
    return [median, last]


def exec_(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """`docker exec NAME true` in a container that runs."""
    row = Row("`docker exec NAME true`", "ms", goal=1.6)
    for engine in engines:
        engine.docker("run", "-d", "--name", "bench-exec", "busybox", "sleep", "100000").ok()
    for turn in range(-WARM_UP, pairs):
        for engine in in_turn(engines, turn):
            taken = seconds(lambda: engine.docker("exec", "bench-exec", "true").ok()) * 1e3
            if turn >= 0:
                _values(row, engine).append(taken)
    for engine in engines:
        engine.docker("rm", "-f", "bench-exec").ok()
    return [row]


def clients(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """24 runs by eight command lines at once, several rounds."""
    row = Row("eight clients at once, `docker run --rm busybox true`", "containers/s", more_is_better=True, goal=4.0)
    for turn in range(max(3, pairs // 4)):
        for engine in in_turn(engines, turn):
            with ThreadPoolExecutor(8) as pool:
                begin = time.perf_counter()
                for result in pool.map(lambda _: engine.docker("run", "--rm", "busybox", "true"), range(24)):
                    result.ok()
                _values(row, engine).append(24 / (time.perf_counter() - begin))
    return [row]


def _create_and_start(connection: UnixConnection) -> float:
    def ask(method: str, target: str, body: object = None) -> bytes:
        payload = json.dumps(body) if body is not None else None
        connection.request(method, f"/v1.41{target}", payload, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 400, content
        return content

    begin = time.perf_counter()
    created = ask("POST", "/containers/create", {"Image": "busybox", "Cmd": ["true"]})
    container = json.loads(created)["Id"]
    ask("POST", f"/containers/{container}/start")
    taken = time.perf_counter() - begin
    ask("POST", f"/containers/{container}/wait")
    ask("DELETE", f"/containers/{container}?force=1")
    return taken


def _values(row: Row, engine: Engine) -> list[float]:
    return row.pier if engine.kind == "pierd" else row.dockerd
