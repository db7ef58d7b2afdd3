"""Start workers: `posix_spawn` of a bare interpreter, never a fork of the daemon, with descriptors for all they
touch.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pier.spec import errors
from pier.spec.errors import PierError, SystemFailure

_PROGRAM = Path(__file__).with_name("worker.py")
_FIRST_FREE = 16  # above every number that the worker expects, so that no duplication overwrites a source
_MAX_RESULT = 1 << 20


class Outcome(msgspec.Struct):
    """What a worker reports."""

    diff_id: str = ""
    size: int = 0
    entries: int = 0
    codec: str = ""
    blob: str = ""
    blob_size: int = 0
    error: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker is to do: unpack as a layer or as it is, from a pipe or a file that grows, keeping the compressed
    stream or not.
    """

    layer: bool = True
    growing: bool = False
    keep: bool = False  # write what the stream brings to the blob's descriptor: as it came, or plain
    blob: bool = False  # tell the digest of what is, or would be, kept
    limit: int | None = None
    owner: tuple[int, int] | None = None
    keep_directories: bool = False
    pack: bool = False
    select: str | None = None
    rename: str | None = None
    root_entry: bool = False
    layers: tuple[str, ...] = ()  # pack these of the directory as one, lowest first
    against: tuple[str, ...] | None = None  # tell how `layers` differ from these
    whiteouts: bool = False


class Worker:
    """A running worker.

    `outcome` waits in a thread; `stop` ends it whatever it does. The descriptors given to `start` stay the caller's.
    """

    def __init__(self, pid: int, result: int) -> None:
        self._pid = pid
        self._result = result
        self._ended = threading.Lock()
        self._alive = True

    @classmethod
    def start(
        cls, job: Job, *, stream: int, directory: int, notes: int | None = None, blob: int | None = None
    ) -> "Worker":
        """Start a worker. Raises SystemFailure when the host cannot start a process."""
        given = {0: stream, 3: directory, 4: notes, 5: blob}
        result, report = os.pipe2(os.O_CLOEXEC)
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, report)
            actions: list[tuple[int, int, int]] = []
            for number, fd in {**given, 1: report}.items():
                if fd is not None:
                    high = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
                    stack.callback(os.close, high)
                    actions.append((os.POSIX_SPAWN_DUP2, high, number))
            try:
                pid = os.posix_spawn(
                    sys.executable, _arguments(job), _environment(), file_actions=actions, setsigdef=_signals()
                )
            except OSError as error:
                os.close(result)
                raise SystemFailure(f"cannot start an unpacking worker: {error}") from error
        return cls(pid, result)

    async def outcome(self) -> Outcome:
        """What came of it; the worker's error is raised as its own kind.

        A worker whose waiter is cancelled is stopped.
        """
        try:
            report = await asyncio.to_thread(self._wait)
        except asyncio.CancelledError:
            self.stop()
            raise
        return judge(report)

    def wait(self) -> Outcome:
        """The same for a plain thread."""
        return judge(self._wait())

    def stop(self) -> None:
        """Kill the worker. Calling it twice, or after its end, is harmless."""
        with self._ended:
            if self._alive:
                os.kill(self._pid, signal.SIGKILL)

    def _wait(self) -> bytes:
        report = bytearray()
        try:
            while len(report) < _MAX_RESULT and (piece := os.read(self._result, 65536)):
                report += piece
        finally:
            os.close(self._result)
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
            with self._ended:
                os.waitpid(self._pid, 0)
                self._alive = False
        return bytes(report)


def _arguments(job: Job) -> list[str]:
    package = Path(__file__).parents[2]
    paths = [str(package), *(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))]
    return [sys.executable, "-I", "-S", str(_PROGRAM), os.pathsep.join(paths), msgspec.json.encode(job).decode("ascii")]


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}


def _signals() -> list[int]:
    return [signal.SIGPIPE, signal.SIGINT, signal.SIGTERM]


def judge(report: bytes) -> Outcome:
    """A worker's report as a value, or as the error that it tells of."""
    try:
        outcome = msgspec.json.decode(report, type=Outcome)
    except msgspec.DecodeError:
        raise SystemFailure("an unpacking worker ended without a result") from None
    if outcome.error:
        kind = getattr(errors, outcome.error, SystemFailure)
        if isinstance(kind, type) and issubclass(kind, PierError):
            raise kind(outcome.message)
    return outcome
