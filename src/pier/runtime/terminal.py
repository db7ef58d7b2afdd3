"""The caller's terminal in front of a container's: `run` and `exec` in the foreground, without a console socket."""

import os
import select
import signal
import socket
import termios
import tty

from pier.kernel import fds, process, pty

_PIECE = 65536


class Terminal:
    """A console socket of our own, and then the copying between the caller's terminal and the container's."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair()
        self._master = -1

    @property
    def console(self) -> int:
        """The descriptor that the runtime sends the terminal to."""
        return self._theirs.fileno()

    def receive(self) -> None:
        """Take the terminal that the runtime has sent."""
        self._theirs.close()
        _, descriptors = fds.receive(self._ours, 4096)
        self._ours.close()
        self._master = descriptors[0]
        self._resize()

    def serve(self, pid: int) -> None:
        """Copy until the process behind `pid` has ended and said all."""
        before = termios.tcgetattr(0) if os.isatty(0) else None
        if before:
            tty.setraw(0)
            signal.signal(signal.SIGWINCH, lambda _number, _frame: self._resize())
        pidfd = process.pidfd_open(pid)
        try:
            self._copy(pidfd)
        finally:
            os.close(pidfd)
            os.close(self._master)
            if before:
                termios.tcsetattr(0, termios.TCSADRAIN, before)

    def _resize(self) -> None:
        if os.isatty(0):
            pty.set_size(self._master, *pty.get_size(0))

    def _copy(self, pidfd: int) -> None:
        watched = [self._master, pidfd, 0]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if self._master in ready:
                if not self._output():
                    return
            elif pidfd in ready:
                return  # all is said
            if 0 in ready and not _forward(0, self._master):
                watched.remove(0)

    def _output(self) -> bool:
        try:
            return _forward(self._master, 1)
        except OSError:  # EIO: no process has the terminal any more
            return False


def _forward(source: int, target: int) -> bool:
    piece = memoryview(os.read(source, _PIECE))
    more = bool(piece)
    while piece:
        piece = piece[os.write(target, piece) :]
    return more
