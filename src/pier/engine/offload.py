"""The one place where the engine's disk and kernel work leaves the event loop.

A hop costs about 0.1 ms, so callers move whole sequences of work at once, never single system calls.
"""

import asyncio
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pier.spec.errors import NoSpace, PierError, SystemFailure

T = TypeVar("T")
_FULL = (errno.ENOSPC, errno.EDQUOT)


def of_host(error: OSError) -> PierError:
    """A failing system call as one of our kinds of error, in the words of the kernel and of Go."""
    words = os.strerror(error.errno).lower() if error.errno else str(error)
    message = f"{error.filename}: {words}" if error.filename else words
    return NoSpace(message) if error.errno in _FULL else SystemFailure(message)


class Offload:
    """A small pool of threads for plain functions that may block."""

    def __init__(self, workers: int = 16) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="engine")

    async def run(
        self, function: Callable[..., T], *arguments: object, abandoned: Callable[[T], object] | None = None
    ) -> T:
        """Run a plain function in a thread and hand back its result; what the host fails at becomes a PierError.

        A caller who is cancelled still waits for the thread, which uses what the caller will close; `abandoned` then
        takes the result that nobody else will.
        """
        work = asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            if not work.cancelled() and work.exception() is None and abandoned is not None:
                abandoned(work.result())
            raise
        except OSError as error:
            raise of_host(error) from error

    def close(self) -> None:
        """Let the work under way end, and take no more."""
        self._pool.shutdown(wait=True)
