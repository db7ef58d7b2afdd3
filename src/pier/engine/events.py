"""Events: what happened to an object, told to all who listen, with the last 256 kept for those who ask for the past."""

import asyncio
import time
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

import msgspec

from pier.engine.event_filters import ACCEPTED, includes
from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

HISTORY = 256
# So many events may wait for one listener; one that is further behind has its stream ended, not a gap in it.
BEHIND = 1 << 14


class Actor(msgspec.Struct, frozen=True):
    """The object that an event is about."""

    ID: str
    Attributes: dict[str, str]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event in Docker's JSON; `status`, `id` and `from` are the old form that containers and images keep."""

    status: str = ""
    id: str = ""
    origin: str = msgspec.field(default="", name="from")
    Type: str = ""
    Action: str = ""
    Actor: "Actor" = Actor("", {})
    scope: str = ""
    time: int = 0
    time_nano: int = msgspec.field(default=0, name="timeNano")


def make_event(type_: str, action: str, actor_id: str, attributes: Mapping[str, str], now: int) -> Event:
    """An event at `now` (ns), attributes sorted as Go prints its maps."""
    actor = Actor(actor_id, dict(sorted(attributes.items())))
    old = type_ in ("container", "image")
    return Event(
        status=action if old else "",
        id=actor_id if old else "",
        origin=actor.Attributes.get("image", "") if type_ == "container" else "",
        Type=type_,
        Action=action,
        Actor=actor,
        scope="local",
        time=now // 1_000_000_000,
        time_nano=now,
    )


class Events:
    """The history and the listeners; all methods belong to the event loop's thread."""

    def __init__(self, now: Callable[[], int] = time.time_ns) -> None:
        self._now = now
        self._history: deque[Event] = deque(maxlen=HISTORY)
        # held by their streams: one that was never begun is gone with its request
        self._listeners: weakref.WeakSet[asyncio.Queue[Event]] = weakref.WeakSet()
        self._last = 0

    @property
    def listeners(self) -> int:
        """How many subscriptions are open."""
        return len(self._listeners)

    def publish(self, type_: str, action: str, actor_id: str, attributes: Mapping[str, str] | None = None) -> Event:
        """Tell all listeners; stamps never go backwards, so that `since` with the last stamp seen misses nothing."""
        self._last = max(self._now(), self._last + 1)
        event = make_event(type_, action, actor_id, attributes or {}, self._last)
        self._history.append(event)
        for queue in list(self._listeners):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._listeners.discard(queue)
        return event

    def subscribe(
        self, since: int | None = None, until: int | None = None, filters: Filters | None = None
    ) -> AsyncIterator[Event]:
        """Past events from `since` (ns), then live ones up to `until` (ns; a past one ends after the history).

        What happens after this call is seen, even when the iterator is first asked later. Close the iterator (`aclose`)
        to end a subscription early.
        """
        wanted = filters or Filters()
        wanted.validate(ACCEPTED)
        if since and until and since > until:
            raise InvalidParameter(f"`since` time ({_seconds(since)}) cannot be after `until` time ({_seconds(until)})")
        past = [event for event in self._history if _within(event, since, until)] if since or until else []
        queue: asyncio.Queue[Event] | None = None
        if until is None or until > self._now():
            queue = asyncio.Queue(BEHIND)
            self._listeners.add(queue)
        return self._stream(past, queue, until, wanted)

    async def _stream(
        self, past: list[Event], queue: asyncio.Queue[Event] | None, until: int | None, wanted: Filters
    ) -> AsyncIterator[Event]:
        try:
            for event in past:
                if _passes(wanted, event):
                    yield event
            while queue is not None and (queue in self._listeners or not queue.empty()):
                found = await self._next(queue, until)
                if found is None:
                    return
                if _passes(wanted, found):
                    yield found
        finally:
            if queue is not None:
                self._listeners.discard(queue)

    async def _next(self, queue: asyncio.Queue[Event], until: int | None) -> Event | None:
        if until is None:
            return await queue.get()
        remaining = (until - self._now()) / 1e9
        try:
            return await asyncio.wait_for(queue.get(), max(remaining, 0))
        except TimeoutError:
            return None


def _passes(wanted: Filters, event: Event) -> bool:
    return includes(wanted, event.Type, event.Action, event.scope, event.Actor.ID, event.Actor.Attributes)


def _seconds(nanoseconds: int) -> str:
    return f"{nanoseconds // 1_000_000_000}.{nanoseconds % 1_000_000_000:09d}"


def _within(event: Event, since: int | None, until: int | None) -> bool:
    return event.time_nano >= (since or 0) and (until is None or event.time_nano <= until)
