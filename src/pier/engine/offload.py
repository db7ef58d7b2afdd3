"""The one place where the engine's disk and kernel work leaves the event loop.

A hop costs about 0.1 ms, so callers move whole sequences of work at once, never single system calls.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Offload:
    """A small pool of threads for plain functions that may block."""

    def __init__(self, workers: int = 16) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="engine")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a plain function in a thread and hand back its result or its exception."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Let the work under way end, and take no more."""
        self._pool.shutdown(wait=True)
