"""Attach: a client's connection is taken over and handed to the container's keeper, or kept for the next start."""

import os
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from pier.engine.container import Container
from pier.engine.detach_keys import parse_detach_keys
from pier.engine.logs import Logs
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.streams import finish, send_all
from pier.runtime.launch import Attachment
from pier.spec.errors import Conflict, PierError


class Takeover(Protocol):
    """The right to take one HTTP connection over (`api/hijack.py`)."""

    async def take(self) -> tuple[int, bytes]:
        """Answer the request's head and give (the client's socket, what it sent already)."""
        ...


@dataclass(frozen=True)
class AttachQuery:
    """What `POST /containers/{name}/attach` asks for."""

    stream: bool = False
    logs: bool = False
    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    detach_keys: str = ""


class Attaching:
    """Connects clients to containers."""

    def __init__(self, projection: Projection, parts: Parts, logs: Logs) -> None:
        self._projection = projection
        self._parts = parts
        self._logs = logs

    async def attach(self, container: Container, query: AttachQuery, takeover: Takeover) -> None:
        """Take the connection over; when this returns, somebody else serves it or it is at its end."""
        keys = parse_detach_keys(query.detach_keys)
        if container.state.status == "paused":
            raise Conflict(f"container {container.id} is paused, unpause the container before attach")
        if container.state.status == "restarting":
            raise Conflict(f"container {container.id} is restarting, wait until the container is running")
        descriptor, early = await takeover.take()
        try:
            if query.logs and not await self._send_backlog(container, query, descriptor):
                finish(descriptor)
                return
        except BaseException:
            finish(descriptor)
            raise
        if not query.stream or self._projection.get(container.id) is not container:
            finish(descriptor)  # of a container that was removed meanwhile nothing will come any more
            return
        self._parts.news.container(container, "attach")
        await self._hand_over(container, attachment_of(container, query, descriptor, keys, early))

    async def _send_backlog(self, container: Container, query: AttachQuery, descriptor: int) -> bool:
        """What the container wrote so far, a block at a time: a log may be large. False when the client is gone."""
        async with aclosing(self._logs.backlog(container, query)) as blocks:
            async for block in blocks:
                if not await self._parts.offload.run(send_all, descriptor, block):
                    return False
        return True

    async def _hand_over(self, container: Container, attachment: Attachment) -> None:
        keeper = container.keeper
        if keeper is None:
            self._parts.attachments.add(container, attachment)
            return
        try:
            await keeper.attach(attachment)
        except PierError:
            finish(attachment.fd)  # the container ended in this very moment: so does the stream
            return
        except BaseException:
            finish(attachment.fd)
            raise
        os.close(attachment.fd)


def attachment_of(
    container: Container, query: AttachQuery, descriptor: int, keys: bytes, early: bytes = b""
) -> Attachment:
    """What a keeper is told of a client: input only where the container has one, detach keys only on a terminal."""
    config = container.record.config
    stdin = query.stdin and config.OpenStdin
    return Attachment(
        fd=descriptor,
        stdin=stdin,
        stdout=query.stdout,
        stderr=query.stderr,
        framed=not config.Tty,
        detach_keys=keys if config.Tty and stdin else b"",
        early=early,
    )
