"""The streams of a worker: where bytes come from, who else gets them, and threads that hash and write
beside the unpacking."""

import os
import threading
from hashlib import sha256
from queue import SimpleQueue

from pier.images.decompress import Source

_NOTE = 8
_AHEAD = 8  # pieces of a megabyte that may wait for a hash
_GATHER = 256 << 10


class Pipe(Source):
    """A stream that comes over a pipe."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, as they come."""
        return os.read(self._fd, size)


class GrowingFile(Source):
    """A file that somebody else is still writing: read up to where the notes say, and to its end once they end."""

    def __init__(self, fd: int, notes: int) -> None:
        self._fd = fd
        self._notes = notes
        self._position = 0
        self._written = 0
        self._whole = False

    def read(self, size: int) -> bytes:
        """Up to `size` bytes, waiting for them if need be."""
        while self._position >= self._written and not self._whole:
            self._wait()
        piece = os.pread(self._fd, min(size, self._written - self._position), self._position)
        self._position += len(piece)
        return piece

    def _wait(self) -> None:
        notes = os.read(self._notes, 512 * _NOTE)
        if notes:
            self._written = max(self._written, int.from_bytes(notes[-_NOTE:], "little"))
        else:
            self._written = os.fstat(self._fd).st_size
            self._whole = True


class Tapped(Source):
    """A source whose bytes others get as well."""

    def __init__(self, source: Source, *taps: "Tap") -> None:
        self._source = source
        self._taps = taps

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        piece = self._source.read(size)
        if piece:
            for tap in self._taps:
                tap(piece)
        return piece


class Consumer:
    """A thread that works on pieces in order, at most eight behind."""

    def __init__(self) -> None:
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room = threading.Semaphore(_AHEAD)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def feed(self, piece: bytes) -> None:
        """Hand a piece over; the error that an earlier one met is raised here."""
        self._room.acquire()
        if self._error:
            raise self._error
        self._pieces.put(piece)

    def _run(self) -> None:
        while (piece := self._pieces.get()) is not None:
            try:
                if self._error is None:
                    self.work(piece)
            except Exception as error:
                self._error = error
            self._room.release()

    def work(self, piece: bytes) -> None:
        """What is done with each piece."""
        raise NotImplementedError

    def join(self) -> None:
        """Wait until every piece is done."""
        self._pieces.put(None)
        self._thread.join()
        if self._error:
            raise self._error


class Hasher(Consumer):
    """The digest of a stream, which is written as well when a descriptor is given."""

    def __init__(self, fd: int | None = None) -> None:
        self._fd = fd
        self._hash = sha256()
        self.size = 0
        super().__init__()

    def work(self, piece: bytes) -> None:
        """Hash one piece."""
        self._hash.update(piece)
        self.size += len(piece)
        if self._fd is not None:
            write_all(self._fd, piece)

    def finish(self) -> str:
        """The digest of all pieces."""
        self.join()
        return "sha256:" + self._hash.hexdigest()


def write_all(fd: int, content: bytes) -> None:
    """Write everything to a descriptor."""
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


class Buffer:
    """Small writes to a descriptor, gathered: a small file is three of them."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._parts: list[bytes] = []
        self._size = 0
        self.written = 0

    def write(self, content: bytes) -> None:
        """Hand over some bytes."""
        self._parts.append(content)
        self._size += len(content)
        if self._size >= _GATHER:
            self.flush()

    def flush(self) -> None:
        """Write what is gathered."""
        content = b"".join(self._parts)
        self.written += len(content)
        self._parts, self._size = [], 0
        write_all(self._fd, content)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Tap = Callable[[bytes], None]
