"""Content by digest: a blob is written under a temporary name, verified while it streams, fsynced and renamed, so
that what stands under a digest's name has that digest. What a broken download left is kept and carried on.
"""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from pier.kernel.faults import point
from pier.spec import digests
from pier.spec.errors import Conflict, InvalidParameter, NoSpace, NotFound
from pier.store.holds import Holds
from pier.store.layout import Layout

_CHUNK = 1 << 20


class Blobs:
    """The blobs of a data root.

    Thread-safe; only `writer`, `put` and `adopt` make files, only `delete` and `discard` remove them.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.held = Holds()  # blobs that somebody writes, reads or is about to make a layer of

    def path(self, digest: str) -> Path:
        """Where the blob lies or would lie."""
        return self._layout.blob(digest)

    def size(self, digest: str) -> int | None:
        """The blob's size in bytes, None when it is not here."""
        try:
            return os.stat(self.path(digest)).st_size
        except FileNotFoundError:
            return None

    def read(self, digest: str, limit: int) -> bytes:
        """A small blob as a whole.

        NotFound when it is not here, InvalidParameter when it is larger than `limit` bytes.
        """
        with self.open(digest) as fd:
            content = bytearray()
            while len(content) <= limit and (piece := os.read(fd, limit + 1 - len(content))):
                content += piece
        if len(content) > limit:
            raise InvalidParameter(f"blob {digest} is larger than {limit} bytes")
        return bytes(content)

    @contextlib.contextmanager
    def open(self, digest: str) -> Iterator[int]:
        """A descriptor for reading the blob. NotFound when it is not here."""
        try:
            fd = os.open(self.path(digest), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            raise NotFound(f"no such blob: {digest}") from None
        try:
            yield fd
        finally:
            os.close(fd)

    def put(self, content: bytes) -> str:
        """Keep a document that is held in memory; its digest."""
        digest = digests.of(content)
        if self.size(digest) is not None:
            return digest
        path = self._layout.tmp / f"document-{os.urandom(12).hex()}"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with _room(path):
                _write_all(fd, content)
            self.adopt(path, fd, digest)
        finally:
            os.close(fd)
        return digest

    def writer(self, digest: str, size: int | None = None) -> "BlobWriter":
        """Begin or carry on a blob. Conflict while another writer of the same digest is at work."""
        return BlobWriter(self._partial(digest), self.path(digest), digest, size)

    def adopt(self, path: Path, fd: int, digest: str) -> None:
        """Give a finished temporary file, whose content the caller hashed itself, its place."""
        with _room(path):
            os.fsync(fd)
            os.rename(path, self.path(digest))
            _sync_directory(self._layout.blobs)

    def delete(self, digest: str) -> None:
        """Forget a blob; no error when it is not here."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path(digest))

    def discard(self, digest: str) -> int:
        """Forget a blob unless somebody holds it; the bytes that went."""
        with self.held.lock:
            size = None if digest in self.held else self.size(digest)
            if size is not None:
                self.delete(digest)
            return size or 0

    def list(self) -> list[str]:
        """The digests that are here."""
        names = (digests.SHA256 + name for name in os.listdir(self._layout.blobs))
        return sorted(name for name in names if digests.is_digest(name))

    def _partial(self, digest: str) -> Path:
        return self._layout.tmp / f"blob-{digests.hexadecimal(digest)}"


class BlobWriter:
    """Writes one blob.

    `offset` tells how much an earlier writer left; `commit` verifies; leaving without it keeps the part for the next.
    """

    def __init__(self, partial: Path, target: Path, digest: str, size: int | None) -> None:
        self._partial = partial
        self._target = target
        self._digest = digest
        self._size = size
        self.fd = self._claim()
        try:
            self.offset = os.fstat(self.fd).st_size
            self._hash = sha256()
            if size is not None and self.offset > size:
                self.restart()
            self._rehash()
        except BaseException:
            os.close(self.fd)
            raise

    def _claim(self) -> int:
        """Open the part and lock it.

        What an earlier writer has just named is not the part any more: then once again.
        """
        while True:
            fd = os.open(self._partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(self._partial, follow_symlinks=False)):
                    return fd
            except FileNotFoundError:
                pass
            except BlockingIOError:
                os.close(fd)
                raise Conflict(f"blob {self._digest} is being written") from None
            os.close(fd)

    def _rehash(self) -> None:
        position = 0
        while position < self.offset and (piece := os.pread(self.fd, _CHUNK, position)):
            self._hash.update(piece)
            position += len(piece)

    def restart(self) -> None:
        """Forget what is here, because the registry cannot carry on or what came was wrong."""
        os.ftruncate(self.fd, 0)
        self.offset = 0
        self._hash = sha256()

    def write(self, content: bytes) -> None:
        """Append.

        InvalidParameter when more comes than was announced, NoSpace on a full disk (the part is then given up).
        """
        if self._size is not None and self.offset + len(content) > self._size:
            self.restart()
            raise InvalidParameter(f"blob {self._digest} is larger than the announced {self._size} bytes")
        with _room(self._partial):
            view = memoryview(content)
            while view:
                written = os.pwrite(self.fd, view, self.offset)
                self._hash.update(view[:written])
                self.offset += written
                view = view[written:]

    def commit(self) -> None:
        """Verify, fsync and name the blob. InvalidParameter in Docker's words when the content is not the digest's."""
        if self._size is not None and self.offset != self._size:
            raise InvalidParameter(f"blob {self._digest} has {self.offset} bytes instead of {self._size}")
        if digests.SHA256 + self._hash.hexdigest() != self._digest:
            self.restart()
            raise InvalidParameter(f"filesystem layer verification failed for digest {self._digest}")
        with _room(self._partial):
            os.fsync(self.fd)
            point("blob-synced")
            os.rename(self._partial, self._target)
            _sync_directory(self._target.parent)

    def close(self) -> None:
        """Leave; an unfinished part stays, an empty one goes."""
        if self.fd < 0:
            return
        if self.offset == 0:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._partial)
        os.close(self.fd)
        self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def _room(partial: Path) -> Iterator[None]:
    """Turn a full disk into NoSpace; the part is removed, so that a download which cannot end does not keep others
    from ending.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        with contextlib.suppress(OSError):
            os.truncate(partial, 0)
            os.unlink(partial)
        raise NoSpace(f"write {partial.name}: no space left on device") from error


def _write_all(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
