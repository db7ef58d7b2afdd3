"""Events: their JSON, the history, listeners and filters."""

import asyncio

import msgspec
import pytest

from pier.engine.events import BEHIND, HISTORY, Event, Events, make_event
from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters


def test_an_event_of_a_container_keeps_the_old_form_beside_the_new() -> None:
    event = make_event("container", "start", "abc", {"name": "web", "image": "busybox"}, 1_500_000_000)
    assert msgspec.json.encode(event) == (
        b'{"status":"start","id":"abc","from":"busybox","Type":"container","Action":"start","Actor":{"ID":"abc",'
        b'"Attributes":{"image":"busybox","name":"web"}},"scope":"local","time":1,"timeNano":1500000000}'
    )
    event = make_event("network", "connect", "abc", {}, 1_500_000_000)
    assert msgspec.json.encode(event) == (
        b'{"Type":"network","Action":"connect","Actor":{"ID":"abc","Attributes":{}},"scope":"local","time":1,'
        b'"timeNano":1500000000}'
    )


def test_stamps_never_stand_still() -> None:
    events = Events(now=lambda: 10)
    stamps = [events.publish("container", "start", "a").time_nano for _ in range(3)]
    assert stamps == [10, 11, 12]


async def gather(events: Events, **query: object) -> list[str]:
    return [event.Action async for event in events.subscribe(**query)]  # type: ignore[arg-type]


def test_the_past_is_told_from_since_and_no_further_than_until() -> None:
    async def scene() -> None:
        time = iter(range(100, 200, 10))
        events = Events(now=lambda: next(time, 1000))
        for action in ("create", "start", "die"):
            events.publish("container", action, "a")
        assert await gather(events, since=110, until=500) == ["start", "die"]
        assert await gather(events, since=1, until=110) == ["create", "start"]
        assert await gather(events, until=110) == ["create", "start"]

    asyncio.run(scene())


def test_only_the_last_256_are_kept() -> None:
    async def scene() -> None:
        time = iter(range(1, 10_000))
        events = Events(now=lambda: next(time))
        for number in range(HISTORY + 10):
            events.publish("container", f"a{number}", "a")
        told = await gather(events, since=1, until=9_000)
        assert len(told) == HISTORY
        assert told[0] == "a10"

    asyncio.run(scene())


def test_a_listener_hears_what_happens_after_it_subscribed_and_leaves_no_trace() -> None:
    async def scene() -> None:
        events = Events()
        stream = events.subscribe(filters=Filters({"event": ("start",)}))
        events.publish("container", "create", "a")
        events.publish("container", "start", "a")
        heard = await anext(stream)
        assert heard.Action == "start"
        assert events.listeners == 1
        await stream.aclose()  # type: ignore[attr-defined]
        assert events.listeners == 0

    asyncio.run(scene())


def test_a_subscription_ends_at_until() -> None:
    async def scene() -> None:
        now = [100]
        events = Events(now=lambda: now[0])
        stream = events.subscribe(until=101)
        events.publish("container", "start", "a")
        assert (await anext(stream)).Action == "start"
        now[0] = 200
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    asyncio.run(scene())


def test_bad_subscriptions_are_refused() -> None:
    events = Events()
    with pytest.raises(InvalidParameter, match="invalid filter 'colour'"):
        events.subscribe(filters=Filters({"colour": ("red",)}))
    with pytest.raises(InvalidParameter, match=r"`since` time \(2\.0+\) cannot be after `until` time \(1\.0+\)"):
        events.subscribe(since=2_000_000_000, until=1_000_000_000)


CONTAINER = make_event("container", "exec_create: ls /", "abcdef", {"name": "web", "image": "busybox:1", "a": "b"}, 1)
IMAGE = make_event("image", "pull", "busybox:1", {"name": "busybox"}, 1)


@pytest.mark.parametrize(
    ("filters", "event", "passes"),
    [
        ({}, CONTAINER, True),
        ({"type": ["image"]}, CONTAINER, False),
        ({"event": ["exec_create"]}, CONTAINER, True),
        ({"event": ["exec"]}, CONTAINER, False),
        ({"container": ["web"]}, CONTAINER, True),
        ({"container": ["abc"]}, CONTAINER, True),
        ({"container": ["db"]}, CONTAINER, False),
        ({"image": ["busybox"]}, CONTAINER, True),
        ({"image": ["busybox:1"]}, IMAGE, True),
        ({"image": ["debian"]}, IMAGE, False),
        ({"label": ["a"]}, CONTAINER, True),
        ({"label": ["a=b"]}, CONTAINER, True),
        ({"label": ["a=c"]}, CONTAINER, False),
        ({"scope": ["swarm"]}, CONTAINER, False),
    ],
)
def test_filters_of_events(filters: dict[str, list[str]], event: Event, passes: bool) -> None:
    async def scene() -> list[Event]:
        events = Events(now=lambda: 5)
        events.publish(event.Type, event.Action, event.Actor.ID, event.Actor.Attributes)
        return [
            heard
            async for heard in events.subscribe(
                since=1, until=5, filters=Filters({key: tuple(values) for key, values in filters.items()})
            )
        ]

    assert bool(asyncio.run(scene())) is passes


def test_a_stream_that_was_never_begun_is_no_listener() -> None:
    async def scene() -> None:
        events = Events()
        stream = events.subscribe()
        assert events.listeners == 1
        del stream
        assert events.listeners == 0

    asyncio.run(scene())


def test_who_is_too_far_behind_hears_the_end_and_no_gap() -> None:
    async def scene() -> None:
        events = Events()
        stream = events.subscribe()
        for number in range(BEHIND + 2):
            events.publish("container", f"a{number}", "a")
        told = [event.Action async for event in stream]
        assert told == [f"a{number}" for number in range(BEHIND)]
        assert events.listeners == 0

    asyncio.run(scene())
