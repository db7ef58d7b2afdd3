"""Whoever runs the OCI command line: its streams and terminal, its pid file, the signals that it passes on."""

import argparse
import contextlib
import os
import signal
import socket
from collections.abc import Iterator

from pier.runtime.requests import Stdio
from pier.runtime.sync import Message
from pier.runtime.terminal import Terminal
from pier.spec.errors import InvalidParameter

Arguments = argparse.Namespace
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


@contextlib.contextmanager
def stdio(arguments: Arguments, process: Message, *, waits: bool) -> Iterator[Stdio]:
    """The caller's streams; for a terminal the socket that it is sent to, or our own in front of the caller's."""
    preserved = _preserved(arguments.preserve_fds)
    if not process.get("terminal"):
        if arguments.console_socket:
            raise InvalidParameter("cannot use console socket if runc will not detach or allocate tty")
        yield Stdio(preserved=preserved)
    elif arguments.console_socket:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(arguments.console_socket))
            yield Stdio(console=connection.fileno(), preserved=preserved)
    elif waits:
        terminal = Terminal()
        yield Stdio(console=terminal.console, preserved=preserved, terminal=terminal)
    else:
        raise InvalidParameter("cannot allocate tty if runc will detach without setting console socket")


def _preserved(count: int) -> tuple[int, ...]:
    """The caller's descriptors from 3 on: those of sd_listen_fds(3), and `count` more. Raises InvalidParameter."""
    listed = os.environ.get("LISTEN_FDS", "")
    total = count + (int(listed) if listed.isdigit() else 0)
    for number in range(3, 3 + total):
        try:
            os.fstat(number)
        except OSError:
            raise InvalidParameter(f"file descriptor {number} is not open, but should be preserved") from None
    return tuple(range(3, 3 + total))


def write_pid(arguments: Arguments, pid: int) -> None:
    if arguments.pid_file:
        temporary = arguments.pid_file.with_name(f".{arguments.pid_file.name}.{os.getpid()}")
        temporary.write_text(str(pid))
        temporary.rename(arguments.pid_file)


def wait(pid: int, streams: Stdio) -> int:
    """Pass signals on to a process and wait for it; with a terminal of ours, serve it meanwhile."""
    pidfd = os.pidfd_open(pid)
    for number in _FORWARDED:
        signal.signal(number, lambda caught, _frame: _pass_on(pidfd, caught))
    if streams.terminal:
        streams.terminal.receive()
        streams.terminal.serve(pid)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _pass_on(pidfd: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, number)
