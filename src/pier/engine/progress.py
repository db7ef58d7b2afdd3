"""From a work that reports by callback to an iterator of what it reports: pulls, pushes, imports.

The work runs as its own task and ends with the iterator: a client that goes away cancels it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from pier.engine.offload import of_host
from pier.spec.errors import PierError

T = TypeVar("T")
Report = Callable[[T], None]
log = logging.getLogger("pier.engine")


class _End:
    """The mark after the last report."""


_END = _End()


async def reports(work: Callable[[Report[T]], Awaitable[None]]) -> AsyncIterator[T | dict[str, object]]:
    """What `work` reports, as it comes. An error before the first report is raised; a later one is the last report."""
    queue: asyncio.Queue[T | _End] = asyncio.Queue()

    async def run() -> None:
        try:
            await work(queue.put_nowait)
        finally:
            queue.put_nowait(_END)

    task = asyncio.ensure_future(run())
    reported = False
    try:
        while not isinstance(report := await queue.get(), _End):
            reported = True
            yield report
        try:
            await task
        except Exception as error:
            known = of_host(error) if isinstance(error, OSError) else error
            if not reported:
                raise known from error
            yield failure(_words(known))
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait([task])


def _words(error: Exception) -> str:
    """What a client is told; a defect of ours goes to the log as well, for the stream has begun and cannot be a 500."""
    if isinstance(error, PierError):
        return error.message
    log.error("a stream of progress failed", exc_info=error)
    return f"internal error: {type(error).__name__}, see the daemon's log"


def failure(message: str) -> dict[str, object]:
    """The last line of a stream of progress that failed."""
    return {"errorDetail": {"message": message}, "error": message}
