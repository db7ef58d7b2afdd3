"""The keeper's event loop: descriptors, what is awaited of each, and who is told. No timers but one, no threads."""

import select
from collections.abc import Callable

IN, OUT, GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR
Handler = Callable[[int], None]


class Loop:
    """Level-triggered epoll. A handler takes the events that have come."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}
        self._events: dict[int, int] = {}

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        """Await events of a descriptor; its end is always told."""
        self._handlers[descriptor] = handler
        self._events[descriptor] = events
        self._epoll.register(descriptor, events)

    def change(self, descriptor: int, events: int) -> None:
        """Await other events of it."""
        if self._events.get(descriptor, events) != events:
            self._events[descriptor] = events
            self._epoll.modify(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Await nothing of it; must be called before it is closed."""
        if self._handlers.pop(descriptor, None):
            del self._events[descriptor]
            self._epoll.unregister(descriptor)

    def turn(self, timeout: float) -> None:
        """Wait for events, for at most `timeout` seconds (negative: without end), and tell each handler."""
        for descriptor, events in self._epoll.poll(timeout):
            handler = self._handlers.get(descriptor)  # an earlier handler of this turn may have let it go
            if handler:
                handler(events)
