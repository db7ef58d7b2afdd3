"""Reads a container's log as `docker logs` shows it, in blocks of ready-made frames.

Plain and without waiting: `read` gives what is there, and while following `fileno` tells when to ask again. `frames` is
the whole of it for callers with a thread to spare. Each entry is a frame, as Docker sends it, except in a log of more
than a megabyte that nobody follows.
"""

import errno
import os
import select
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pier.kernel.inotify import IN_CREATE, IN_MODIFY, IN_MOVED_TO, Inotify
from pier.logs.files import LogFiles
from pier.logs.frames import LogQuery, decode, render, until

_BLOCK = 1 << 20


class LogReader:
    """One reader of one log. Not thread-safe: one call at a time."""

    def __init__(self, path: Path, query: LogQuery) -> None:
        self._query = query
        self._files = LogFiles(path)
        self._rest = b""
        self._over = False
        self._inotify: Inotify | None = None
        try:
            if query.follow:
                self._watch(path)
            self._files.start(query.tail)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let the log go; a second call does nothing."""
        self._files.close()
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    def fileno(self) -> int:
        """Return a descriptor that is readable when the log has grown, or -1 where the host has no watch left: then
        poll.
        """
        return self._inotify.fileno() if self._inotify is not None else -1

    def read(self) -> bytes | None:
        """Return the next frames; empty at the end for now; None when no more is wanted (`until` has passed)."""
        if self._inotify is not None:
            self._inotify.drain()  # before the files: what comes later wakes the poll again
        while not self._over:
            data = self._files.read(_BLOCK)
            if not data:
                return b""
            block = self._rest + data
            cut = block.rfind(b"\n") + 1
            self._rest = block[cut:]
            lines = decode(block[:cut])
            if self._query.until:
                lines, self._over = until(lines, self._query.until)
            bulk = len(data) == _BLOCK and not self._query.follow
            if frames := render(lines, self._query, bulk=bulk):
                return frames
        return None

    def _watch(self, path: Path) -> None:
        """One watch on the directory sees writes and rotations of all files in it."""
        try:
            self._inotify = Inotify()
            self._inotify.watch(os.fsencode(path.parent), IN_MODIFY | IN_CREATE | IN_MOVED_TO)
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENOSPC):
                raise
            if self._inotify is not None:
                self._inotify.close()
            self._inotify = None


def frames(path: Path, query: LogQuery, stopped: Callable[[], bool], *, poll_ms: int = 500) -> Iterator[bytes]:
    """Yield the log block by block, with `follow` until the container has `stopped` and all that it wrote is read."""
    reader = LogReader(path, query)
    try:
        poll = select.poll()
        if reader.fileno() >= 0:
            poll.register(reader.fileno(), select.POLLIN)
        while True:
            last = not query.follow or stopped()
            while block := reader.read():
                yield block
            if last or block is None:
                return
            with suppress(InterruptedError):
                poll.poll(poll_ms if reader.fileno() >= 0 else min(poll_ms, 100))
    finally:
        reader.close()
