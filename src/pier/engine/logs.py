"""A container's output as it is kept: `docker logs`, and the backlog that an attach with logs=1 asks for.

Reading happens in threads, a block at a time; while following, a task sleeps on the reader's descriptor, not a thread.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pier.engine.container import Container, Outcome
from pier.engine.parts import Parts
from pier.engine.start_files import log_path
from pier.logs.frames import LogQuery
from pier.logs.reader import LogReader
from pier.spec import timestamps
from pier.spec.errors import InvalidParameter, NotSupported
from pier.spec.logline import time_text

if TYPE_CHECKING:
    from pier.engine.attaching import AttachQuery

# Where the host has no inotify left the reader cannot tell of growth: it is asked again after so many seconds.
_POLL = 0.1


def parse_query(
    *,
    stdout: bool,
    stderr: bool,
    follow: bool,
    show_times: bool,
    details: bool,
    tail: str,
    since: str,
    until: str,
) -> LogQuery:
    """The query of `GET /containers/{name}/logs`; a tail that is no number means all, as in Docker."""
    if not (stdout or stderr):
        raise InvalidParameter("Bad parameters: you must choose at least one stream")
    number = int(tail) if re.fullmatch(r"[0-9]{1,18}", tail, re.ASCII) else None
    return LogQuery(
        stdout=stdout,
        stderr=stderr,
        tail=number,
        since=_moment(since),
        until=_moment(until),
        timestamps=show_times,
        details=details,
        follow=follow,
    )


def _moment(text: str) -> str:
    if text in ("", "0"):
        return ""
    moment = timestamps.parse(text, time.time_ns())
    return time_text(moment) if 0 < moment < 1 << 62 else ""


class Logs:
    """Reads what containers wrote."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def read(self, container: Container, query: LogQuery) -> AsyncGenerator[bytes, None]:
        """The output in blocks: frames, or as it is from a terminal."""
        path = log_path(container.record, self._parts.layout.container(container.id))
        if not path:
            raise NotSupported("configured logging driver does not support reading")
        return self._read(container, Path(path), _for(container, query))

    async def _read(self, container: Container, path: Path, query: LogQuery) -> AsyncGenerator[bytes, None]:
        reader = await self._parts.offload.run(LogReader, path, query, abandoned=LogReader.close)
        stopped = container.wait_for("not-running")
        try:
            while True:
                last = not query.follow or stopped.done()
                while block := await self._parts.offload.run(reader.read):
                    yield block
                if last or block is None:
                    return
                await _grown_or_stopped(reader, stopped)
        finally:
            stopped.cancel()
            reader.close()

    def backlog(self, container: Container, query: "AttachQuery") -> AsyncGenerator[bytes, None]:
        """All that there is now, block by block, for the streams that an attach asks for."""
        return self.read(container, LogQuery(stdout=query.stdout, stderr=query.stderr))


def _for(container: Container, query: LogQuery) -> LogQuery:
    """The query as it is for this container: a stopped one is not followed, a terminal's stream has no frames."""
    return replace(query, follow=query.follow and container.state.running, framed=not container.record.config.Tty)


async def _grown_or_stopped(reader: LogReader, stopped: "asyncio.Future[Outcome]") -> None:
    loop = asyncio.get_running_loop()
    grown: asyncio.Future[None] = loop.create_future()
    either: set[asyncio.Future[None] | asyncio.Future[Outcome]] = {grown, stopped}
    descriptor = reader.fileno()
    if descriptor < 0:
        await asyncio.wait({stopped}, timeout=_POLL)
        return
    loop.add_reader(descriptor, lambda: None if grown.done() else grown.set_result(None))
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    finally:
        loop.remove_reader(descriptor)
