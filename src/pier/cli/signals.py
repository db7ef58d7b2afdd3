"""Signals while a container is in the foreground: caught as bytes on a pipe, passed on or turned into a resize."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Self

LEFT_ALONE = frozenset(
    (
        signal.SIGCHLD,
        signal.SIGPIPE,
        signal.SIGURG,
        signal.SIGWINCH,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGABRT,
        signal.SIGTRAP,
        signal.SIGPROF,
        signal.SIGVTALRM,
        signal.SIGSYS,
        signal.SIGKILL,
        signal.SIGSTOP,
    )
)


def _ignore(number: int, frame: FrameType | None) -> None:
    """The work is done where the pipe is read."""


def proxied() -> list[int]:
    """The signals that are passed on to the container."""
    return [number for number in signal.valid_signals() if number not in LEFT_ALONE and number < signal.SIGRTMIN]


def name(number: int) -> str:
    """`TERM` for 15; the number for those without a name."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


class Caught:
    """Holds the handlers while it is held by `with`; `descriptor` gets one byte for each signal."""

    def __init__(self, numbers: list[int]) -> None:
        self.numbers = numbers
        self.descriptor = -1
        self._write = -1
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        self.descriptor, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in self.numbers:
            self._before[number] = signal.signal(number, _ignore)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        os.close(self.descriptor)
        os.close(self._write)

    def read(self) -> list[int]:
        """The signals that came since the last call."""
        try:
            return list(os.read(self.descriptor, 4096))
        except BlockingIOError:
            return []
