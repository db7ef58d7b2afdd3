"""Scenario of events: eight clients run containers as fast as they can, and a listener counts and times the news."""

from collections.abc import Sequence

from bench.measure import Row, in_turn, percentile
from tests.support.churn import churn
from tests.support.engines import Engine
from tests.support.listening import Listener, missing

CONTAINERS = 300


def events(engines: Sequence[Engine], pairs: int) -> list[Row]:
    """The rate of containers, events that were lost, and how long an event takes to its listener."""
    rate = Row(
        f"eight clients at once, {CONTAINERS} × create, start, wait, remove", "containers/s", more_is_better=True
    )
    lost = Row("events of these that a listener did not hear", "events", limit=0.0)
    usual = Row("from an event's stamp to its listener, median", "ms", limit=50.0)
    late = Row("from an event's stamp to its listener, 99th percentile", "ms", limit=50.0)
    for turn in range(max(1, pairs // 7)):
        for engine in in_turn(engines, turn):
            with Listener(engine.socket) as listener:
                made, seconds = churn(engine.socket, CONTAINERS)
                last = _last(engine)
                heard = listener.heard(last)
            lags = [event.lag * 1e3 for event in heard]
            found = (CONTAINERS / seconds, percentile(lags, 50), percentile(lags, 99))
            for row, value in zip((rate, usual, late), found, strict=True):
                (row.pier if engine.kind == "pierd" else row.dockerd).append(value)
            if engine.kind == "pierd":
                lost.pier.append(missing(made, heard))
    return [rate, lost, usual, late]


def _last(engine: Engine) -> str:
    """The name of a volume whose making and removal end the events."""
    name = "bench-events-end"
    engine.api("POST", "/volumes/create", {"Name": name}).ok()
    engine.api("DELETE", f"/volumes/{name}").ok()
    return name
