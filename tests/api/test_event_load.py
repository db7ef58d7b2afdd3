"""`/events` under the news of a hundred containers a second, with listeners that read and one that does not."""

import asyncio
import statistics
from types import SimpleNamespace

from pier.api.routes.system import ROUTES
from pier.engine.events import BEHIND, Events
from tests.api.fakes import Served, read_all, read_until
from tests.support.listening import Listener

LIVES = 200
LIFE = (("container", "create"), ("network", "connect"), ("container", "start"), ("container", "die"),
        ("network", "disconnect"), ("container", "destroy"))  # fmt: skip


async def lives(events: Events) -> None:
    """A hundred containers a second, eight at a time as from eight clients, with what an event of theirs carries."""
    for number in range(LIVES):
        attributes = {"image": "busybox:latest", "name": f"life-{number}", "label": "x" * 100}
        for kind, action in LIFE:
            events.publish(kind, action, f"{number:064x}", attributes)
        if number % 8 == 7:
            await asyncio.sleep(0.08)
    events.publish("volume", "create", "the-last")


async def flood(events: Events, count: int) -> None:
    """So many events, at a pace that a listener keeps."""
    for number in range(count):
        events.publish("container", f"a{number}", "a", {"label": "x" * 200})
        if number % 200 == 0:
            await asyncio.sleep(0.01)
    events.publish("volume", "create", "the-last")


def test_a_hundred_containers_a_second_are_heard_whole_and_at_once() -> None:
    events = Events()
    with Served(ROUTES, SimpleNamespace(events=events)) as served:
        listeners = [Listener(served.path) for _ in range(3)]
        served.run(lives(events))
        for listener in listeners:
            with listener:
                *heard, last = listener.heard("the-last")
            assert [(event.kind, event.action) for event in heard] == list(LIFE) * LIVES
            assert last.identity == "the-last"
            assert statistics.median(event.lag for event in heard) <= 0.05


def test_who_reads_nothing_holds_up_nobody_and_is_cut_off_without_a_gap() -> None:
    events = Events()
    count = BEHIND + 4_000
    with Served(ROUTES, SimpleNamespace(events=events)) as served, served.connected() as stalled:
        stalled.sendall(b"GET /events HTTP/1.0\r\n\r\n")
        read_until(stalled, b"\r\n\r\n")
        with Listener(served.path) as listener:
            served.run(flood(events, count))
            *heard, _ = listener.heard("the-last")
        assert [event.action for event in heard] == [f"a{number}" for number in range(count)]
        lines = read_all(stalled).splitlines()
    assert BEHIND <= len(lines) < count
    assert all(f'"Action":"a{number}"'.encode() in line for number, line in enumerate(lines))
