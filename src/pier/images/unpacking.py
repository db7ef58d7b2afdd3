"""What a worker does: read the stream, decompress, hash and unpack at once.

Codecs and hashes release the interpreter, so that threads help.
"""

import errno
import os
import threading
from hashlib import sha256
from queue import SimpleQueue

from pier.images.decompress import GZIP, PLAIN, ZSTD, Peeked, Source, codec_of, decompress
from pier.images.packing import Packer
from pier.images.tar_reader import TarReader
from pier.images.unpack import Limits, Unpacker
from pier.spec.errors import InvalidParameter, NoSpace, PierError, SystemFailure

_NOTE = 8
_AHEAD = 8  # pieces of a megabyte that may wait for a hash
_LEVEL = 1
_GATHER = 256 << 10

Job = dict[str, object]
Result = dict[str, object]


def run(job: Job, *, stream: int, directory: int, notes: int, blob: int) -> Result:
    """Unpack as `job` says: `layer` and `growing`, `keep`, `limit` (bytes), `owner`, `keep_directories`.

    The result, or the error's kind and message.
    """
    try:
        if job.get("pack"):
            return _pack(job, stream=stream, directory=directory)
        return _run(job, stream=stream, directory=directory, notes=notes, blob=blob)
    except PierError as error:
        return {"error": type(error).__name__, "message": error.message}
    except OSError as error:
        kind = _kind(error)
        return {"error": kind, "message": f"{_path(error)}{os.strerror(error.errno or 0).lower()}"}


def _kind(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace.__name__
    if error.errno in (
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EISDIR,
        errno.ENOENT,
        errno.EXDEV,
        errno.EEXIST,
    ):
        return InvalidParameter.__name__  # the archive asks for what a file system cannot be
    return SystemFailure.__name__


def _path(error: OSError) -> str:
    name = error.filename
    return f"{os.fsdecode(name)[:200]}: " if isinstance(name, str | bytes) else ""


def _run(job: Job, *, stream: int, directory: int, notes: int, blob: int) -> Result:
    source: Source = GrowingFile(stream, notes) if job.get("growing") else Pipe(stream)
    keep = Keep(blob) if job.get("keep") else None
    peeked = Peeked(source)
    codec = codec_of(peeked.peek(6))
    if keep and codec in (GZIP, ZSTD):
        peeked = Peeked(Tapped(peeked, keep.store))
    plain: Source = decompress(peeked)
    diff = Hasher()
    taps: list[Tap] = [diff.feed]
    if keep and codec not in (GZIP, ZSTD):
        keep.compress()
        taps.append(keep.store)
    tapped = Tapped(plain, *taps)
    try:
        unpacker = _unpacker(job, directory)
        reader = TarReader(tapped)
        unpacker.run(reader)
        reader.drain()
        _rest(peeked, codec)
    finally:
        diff_id = diff.finish()
        kept = keep.finish() if keep else {}
    return {"diff_id": diff_id, "size": unpacker.size, "entries": unpacker.entries, "codec": codec, **kept}


def _pack(job: Job, *, stream: int, directory: int) -> Result:
    """The other way: the directory becomes an archive on the stream."""
    buffer = Buffer(stream)
    select, rename = (_bytes(job.get(key)) for key in ("select", "rename"))
    packer = Packer(
        buffer.write, layer=bool(job.get("layer")), select=select, rename=rename, root_entry=bool(job.get("root_entry"))
    )
    packer.run(directory)
    buffer.flush()
    return {"size": buffer.written}


def _bytes(value: object) -> bytes | None:
    return os.fsencode(value) if isinstance(value, str) else None


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
        view = memoryview(b"".join(self._parts))
        self.written += len(view)
        self._parts, self._size = [], 0
        while view:
            view = view[os.write(self._fd, view) :]


def _unpacker(job: Job, directory: int) -> Unpacker:
    limit = job.get("limit")
    limits = Limits(limit) if isinstance(limit, int) else None
    unpacker = Unpacker(
        directory, layer=bool(job.get("layer")), limits=limits, keep_directories=bool(job.get("keep_directories"))
    )
    owner = job.get("owner")
    if isinstance(owner, list):
        unpacker.owner = (owner[0], owner[1])
    return unpacker


def _rest(peeked: Peeked, codec: str) -> None:
    """What follows the compressed stream still belongs to the blob."""
    if codec != PLAIN:
        while peeked.read(1 << 20):
            pass


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
    """The digest of a stream."""

    def __init__(self) -> None:
        self._hash = sha256()
        super().__init__()

    def work(self, piece: bytes) -> None:
        """Hash one piece."""
        self._hash.update(piece)

    def finish(self) -> str:
        """The digest of all pieces."""
        self.join()
        return "sha256:" + self._hash.hexdigest()


class Keep(Consumer):
    """Writes the stream as a blob: as it is when it came compressed, else through gzip."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._hash = sha256()
        self._size = 0
        self._gzip: Compressor | None = None
        super().__init__()

    @property
    def store(self) -> "Tap":
        """Where the pieces go."""
        return self.feed

    def compress(self) -> None:
        """From the first piece on, compress."""
        from isal import isal_zlib

        self._gzip = isal_zlib.compressobj(_LEVEL, wbits=31)

    def work(self, piece: bytes) -> None:
        """Write one piece."""
        self._write(self._gzip.compress(piece) if self._gzip else piece)

    def finish(self) -> Result:
        """The blob's digest, size and media type's suffix."""
        self.join()
        if self._gzip:
            self._write(self._gzip.flush())
        return {"blob": "sha256:" + self._hash.hexdigest(), "blob_size": self._size}

    def _write(self, content: bytes) -> None:
        self._hash.update(content)
        self._size += len(content)
        view = memoryview(content)
        while view:
            view = view[os.write(self._fd, view) :]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    Tap = Callable[[bytes], None]

    class Compressor(Protocol):
        """isal's compressor object."""

        def compress(self, data: bytes) -> bytes:
            """Compress a piece."""

        def flush(self) -> bytes:
            """What is left."""
