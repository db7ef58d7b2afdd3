"""Deletes links in batches: alone each costs 16 to 47 ms of the kernel's time under the lock that all of rtnetlink
shares, in a batch of fifty under one.

An address is free again only when its link is gone, so `done` is called after the batch.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from pier.kernel import links
from pier.kernel.netlink import Netlink

_LINGER_SECONDS = 0.1
_FULL = 48
_GONE = (19, 22)  # ENODEV; EINVAL where no link has the group


@dataclass(frozen=True, slots=True)
class Dead:
    """A link to delete, the namespace that it led to (-1: not held here) and whom to tell."""

    link: str
    netns_fd: int
    done: Callable[[], None]


class Reaper:
    """A thread that gathers the dead for a moment and deletes them together."""

    def __init__(self, host: Netlink, group: int) -> None:
        self._host, self._group = host, group
        self._dead: list[Dead] = []
        self._condition = threading.Condition()
        self._busy = False
        self._hurry = False
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="reaper", daemon=True)
        self._thread.start()

    def bury(self, *dead: Dead) -> None:
        """Delete these soon."""
        with self._condition:
            self._dead.extend(dead)
            self._condition.notify_all()

    def drain(self) -> None:
        """Delete at once what waits, and return when all of it is gone."""
        with self._condition:
            self._hurry = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._dead and not self._busy)
            self._hurry = False

    def close(self) -> None:
        """Delete what is left and end the thread."""
        self.drain()
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while batch := self._gather():
            try:
                self._delete(batch)
            finally:
                with self._condition:
                    self._busy = False
                    self._condition.notify_all()

    def _gather(self) -> list[Dead]:
        with self._condition:
            self._condition.wait_for(lambda: self._dead or self._closed)
            self._condition.wait_for(
                lambda: self._hurry or self._closed or len(self._dead) >= _FULL, timeout=_LINGER_SECONDS
            )
            batch, self._dead = self._dead, []
            self._busy = bool(batch)
            return batch

    def _delete(self, batch: list[Dead]) -> None:
        refusals = self._host.attempt([links.set_group(dead.link, self._group) for dead in batch])
        if not all(refusals):  # where every link is gone already there is no group to delete
            refusals += self._host.attempt([links.delete_group(self._group)])
        gone = all(error is None or error.errno in _GONE for error in refusals)
        if not gone:
            self._host.attempt([links.delete_link(dead.link) for dead in batch])
        for dead in batch:
            if dead.netns_fd >= 0:
                with suppress(OSError):
                    os.close(dead.netns_fd)
            dead.done()
