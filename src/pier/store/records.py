"""The daemon's durable memory: documents by kind and key in one SQLite file, written by one thread.

*Theory of operation.* `write` puts its changes on a queue and returns a future. The writer thread takes everything
that waits, gives each caller's changes a savepoint, commits them all at once and then tells the callers: one fsync of
the write-ahead log serves all who came while the last one ran (group commit). A caller who was told «done» finds the
change after a power loss (`synchronous=FULL`).

A full disk must not make the daemon forget what runs. `Room` therefore holds some megabytes; when a commit finds no
space the room is given back and from then on spent only on changes of documents that exist and on deletions. New
documents are refused with NoSpace until the room could be taken again.
"""

import queue
import sqlite3
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from pier.spec.errors import NoSpace, SystemFailure
from pier.store.room import Room

_FORMAT = 1
_ROOM = 4 << 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    kind TEXT NOT NULL, key TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (kind, key)
)
"""


@dataclass(frozen=True, slots=True)
class Put:
    """Write a document, new or in place of the one of that kind and key."""

    kind: str
    key: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Delete:
    """Forget a document; no error when there is none."""

    kind: str
    key: str


Change = Put | Delete


@dataclass(frozen=True, slots=True)
class _Request:
    changes: tuple[Change, ...]
    done: Future[None]


class Records:
    """Documents by kind and key. Thread-safe. `write` is durable when its future is done, and atomic per call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reader = _connect(path)
        self._reader_lock = threading.Lock()
        self._connection = _connect(path)
        self._room = Room(path.with_name(path.name + ".room"), _ROOM)
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    @classmethod
    def open(cls, path: Path) -> "Records":
        """Open or make the file at `path`. SystemFailure when it is damaged or of a newer Pier."""
        try:
            return cls(path)
        except sqlite3.Error as error:
            raise SystemFailure(f"records {path} cannot be opened: {error}") from error

    def load(self, kind: str) -> dict[str, bytes]:
        """Every document of a kind, by key."""
        with self._reader_lock:
            rows = self._reader.execute("SELECT key, document FROM documents WHERE kind = ? ORDER BY rowid", (kind,))
            return {key: bytes(document) for key, document in rows}

    def write(self, *changes: Change) -> Future[None]:
        """Make the changes durable, all or none.

        The future raises NoSpace on a full disk and SystemFailure on a failing one.
        """
        request = _Request(changes, Future())
        request.done.set_running_or_notify_cancel()  # a caller that stops waiting does not take its change back
        with self._closing:
            if self._closed:
                request.done.set_exception(SystemFailure("records are closed"))
            else:
                self._queue.put(request)
        return request.done

    def close(self) -> None:
        """Finish what was asked, then close the file. Calling it twice is harmless."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._thread.join()
        self._reader.close()
        self._connection.close()
        self._room.close()

    def _run(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._gather(first)
            self._serve(batch)
            if last:
                return

    def _gather(self, first: _Request) -> tuple[list[_Request], bool]:
        batch = [first]
        while not self._queue.empty():
            request = self._queue.get()
            if request is None:
                return batch, True
            batch.append(request)
        return batch, False

    def _serve(self, batch: list[_Request]) -> None:
        self._room.take()
        try:
            self._commit(batch)
        except Exception as error:  # the writer outlives whatever one caller put in: each is then served alone
            full = _is_full(error)
            if full:
                self._room.give()
            for request in batch:
                self._serve_alone(request, full=full)
            return
        for request in batch:
            request.done.set_result(None)

    def _serve_alone(self, request: _Request, *, full: bool) -> None:
        """One caller's changes by themselves. On a full disk the room serves only what does not add a document."""
        try:
            if full and self._adds(request.changes):
                raise NoSpace(f"no space left on device: {self._path.parent}")
            self._commit([request])
        except NoSpace as error:
            request.done.set_exception(error)
        except Exception as error:
            kind = NoSpace if _is_full(error) else SystemFailure
            request.done.set_exception(kind(f"records {self._path} cannot be written: {error}"))
        else:
            request.done.set_result(None)

    def _adds(self, changes: Iterable[Change]) -> bool:
        known = "SELECT 1 FROM documents WHERE kind = ? AND key = ?"
        puts = (change for change in changes if isinstance(change, Put))
        return any(self._connection.execute(known, (put.kind, put.key)).fetchone() is None for put in puts)

    def _commit(self, batch: list[_Request]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for request in batch:
                for change in request.changes:
                    _apply(connection, change)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _apply(connection: sqlite3.Connection, change: Change) -> None:
    if isinstance(change, Put):
        connection.execute(
            "INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT (kind, key) DO UPDATE SET document = excluded.document",
            (change.kind, change.key, change.document),
        )
    else:
        connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (change.kind, change.key))


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)  # SQLite gives the files beside it the mode of this one
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 1000")
        _check_format(connection, path)
    except BaseException:
        connection.close()
        raise
    path.chmod(0o600)
    return connection


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        connection.execute(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_FORMAT}")
    elif version != _FORMAT:
        raise SystemFailure(f"records {path} are of format {version}, which this version of Pier does not know")


def _is_full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
