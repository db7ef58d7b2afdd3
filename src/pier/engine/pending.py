"""Clients that attached before their container started: their sockets wait here until a launch takes them along.

A client that goes away meanwhile is noticed by an epoll that asks for hang-ups only: nothing is read from the socket,
so that input sent early reaches the container, and a client that merely ended its input keeps its output.
"""

import asyncio
import os
import select
from contextlib import suppress

from pier.engine.container import Container
from pier.runtime.launch import Attachment


class Pending:
    """One waiting client; it owns the descriptor of `attachment` until that is taken."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment


class Attachments:
    """The waiting clients of all containers."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, tuple[Container, Pending]] = {}
        asyncio.get_running_loop().add_reader(self._epoll.fileno(), self._hung_up)

    def add(self, container: Container, attachment: Attachment) -> None:
        """Keep a client for the container's next start; its descriptor is ours from now on."""
        pending = Pending(attachment)
        container.pending.append(pending)
        self._waiting[attachment.fd] = container, pending
        self._epoll.register(attachment.fd, 0)

    def collect(self, container: Container) -> tuple[Attachment, ...]:
        """Those who wait for a container; they stay ours until `drop`."""
        return tuple(pending.attachment for pending in container.pending)

    def drop(self, container: Container) -> None:
        """Close our copies of the sockets: after a launch took them along, or when there will be none."""
        for pending in container.pending:
            self._forget(pending.attachment.fd)
        container.pending.clear()

    def _forget(self, descriptor: int) -> None:
        if self._waiting.pop(descriptor, None) is not None:
            with suppress(OSError):
                self._epoll.unregister(descriptor)
            os.close(descriptor)

    def _hung_up(self) -> None:
        for descriptor, _ in self._epoll.poll(0):
            found = self._waiting.get(descriptor)
            if found is not None:
                container, pending = found
                container.pending.remove(pending)
                self._forget(descriptor)

    def close(self) -> None:
        """Close everything that waits."""
        asyncio.get_running_loop().remove_reader(self._epoll.fileno())
        for container, _ in list(self._waiting.values()):
            self.drop(container)
        self._epoll.close()
