"""Pseudo-terminals: a pair from a given devpts, its peer by descriptor, and its window size."""

import fcntl
import os
import stat
import struct
import termios

from pier.kernel.openat2 import open_in_root

_TIOCSPTLCK = 0x40045431
_TIOCGPTPEER = 0x5441
_TIOCGPTN = 0x80045430
_WINDOW = struct.Struct("HHHH")


def open_pair(root: int, path: str = "dev/pts/ptmx") -> tuple[int, int, int]:
    """(master, slave, number) of a new terminal from the multiplexer at `path` in `root`.

    The slave is opened through the master (TIOCGPTPEER), never by name, and the multiplexer must be one (5:2): a
    container may have put anything at the path. Raises OSError.
    """
    found = open_in_root(root, path)
    try:
        status = os.fstat(found)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(5, 2):
            raise OSError(19, "not a terminal multiplexer", path)
        master = os.open(f"/proc/self/fd/{found}", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    finally:
        os.close(found)
    fcntl.ioctl(master, _TIOCSPTLCK, struct.pack("i", 0))
    (number,) = struct.unpack("I", fcntl.ioctl(master, _TIOCGPTN, b"\0\0\0\0"))
    return master, peer(master), number


def peer(master: int) -> int:
    """The slave of a terminal, opened through its master. Raises OSError."""
    slave: int = fcntl.ioctl(master, _TIOCGPTPEER, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    return slave


def set_size(terminal: int, rows: int, columns: int) -> None:
    """Set the window size; the foreground process group gets SIGWINCH."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, _WINDOW.pack(rows, columns, 0, 0))


def get_size(terminal: int) -> tuple[int, int]:
    """(rows, columns)."""
    rows, columns, _, _ = _WINDOW.unpack(fcntl.ioctl(terminal, termios.TIOCGWINSZ, b"\0" * _WINDOW.size))
    return rows, columns


def make_controlling(terminal: int) -> None:
    """Make the terminal this session's."""
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
