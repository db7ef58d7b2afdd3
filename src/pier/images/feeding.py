"""Feed a worker from the loop: bytes into a pipe without blocking, or notes of how far a file is written."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator

_PIPE_SIZE = 1 << 20


class Feed:
    """A pipe whose reading end goes to a worker. Close the reading end here once the worker has it."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._writer, False)
        with contextlib.suppress(OSError):  # over the user's allowance for pipes: the default size serves
            fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    async def send(self, source: AsyncIterator[bytes]) -> None:
        """Everything that comes from `source`; ends early, without error, when the worker reads no more."""
        with contextlib.suppress(BrokenPipeError):
            async for piece in source:
                view = memoryview(piece)
                while view:
                    view = view[await self._write(view) :]

    def note(self, written: int) -> None:
        """Tell how far the file is written. A note that finds no room may be lost: the next says more."""
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            os.write(self._writer, written.to_bytes(8, "little"))

    async def _write(self, view: memoryview) -> int:
        try:
            return os.write(self._writer, view)
        except BlockingIOError:
            await self._writable()
            return 0

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_writer(self._writer, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_writer(self._writer)

    def started(self) -> None:
        """The worker has the reading end."""
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    def end(self) -> None:
        """No more comes. Calling it twice is harmless."""
        self.started()
        if self._writer >= 0:
            os.close(self._writer)
            self._writer = -1


class Drain:
    """A pipe whose writing end goes to a worker; what comes is read without blocking."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        with contextlib.suppress(OSError):
            fcntl.fcntl(self._reader, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)

    def started(self) -> None:
        """The worker has the writing end."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything that the worker writes."""
        while True:
            try:
                piece = os.read(self._reader, _PIPE_SIZE)
            except BlockingIOError:
                await self._readable()
                continue
            if not piece:
                return
            yield piece

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._reader, _settle, ready)
        try:
            await ready
        finally:
            loop.remove_reader(self._reader)

    def close(self) -> None:
        """Read no more. Calling it twice is harmless."""
        self.started()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1


def _settle(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
