"""The user's terminal: raw mode, its size, and the keys that detach."""

from __future__ import annotations

import os

from pier.spec.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Self

DEFAULT_KEYS = b"\x10\x11"  # ctrl-p, ctrl-q


class Raw:
    """The terminal on a descriptor passes every byte on as it is, while this is held by `with`."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.saved: list[Any] | None = None

    def __enter__(self) -> Self:
        import termios

        self.saved = termios.tcgetattr(self.descriptor)
        mode = termios.tcgetattr(self.descriptor)
        mode[0] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        mode[1] &= ~termios.OPOST
        mode[2] = mode[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        mode[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        mode[6][termios.VMIN] = 1
        mode[6][termios.VTIME] = 0
        termios.tcsetattr(self.descriptor, termios.TCSANOW, mode)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import termios

        if self.saved is not None:
            try:
                termios.tcsetattr(self.descriptor, termios.TCSANOW, self.saved)
            except termios.error:
                return  # the terminal is gone


def size() -> tuple[int, int]:
    """Rows and columns of stdout's terminal; zeros where there is none."""
    try:
        found = os.get_terminal_size(1)
    except OSError:
        return 0, 0
    return found.lines, found.columns


def parse_keys(text: str) -> bytes:
    """`ctrl-p,ctrl-q` or `a,b` as the bytes that a terminal sends."""
    codes = []
    for key in text.split(","):
        if len(key) == 1:
            codes.append(ord(key))
            continue
        name, _, letter = key.partition("-")
        if name != "ctrl" or len(letter) != 1 or not ("a" <= letter <= "z" or letter in "@[\\]^_"):
            raise InvalidParameter(f"Unknown character: '{key}'")
        codes.append(ord(letter.upper()) - 64)
    return bytes(codes)


class KeyWatcher:
    """Passes input on, and notices the sequence that detaches; a sequence that breaks off is passed on late."""

    def __init__(self, keys: bytes) -> None:
        self.keys = keys
        self.matched = 0

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What to send, and whether the user detached."""
        if not self.keys:
            return data, False
        result = bytearray()
        for byte in data:
            if byte == self.keys[self.matched]:
                self.matched += 1
                if self.matched == len(self.keys):
                    return bytes(result), True
                continue
            result += self.keys[: self.matched]
            self.matched = 0
            if byte == self.keys[0]:
                self.matched = 1
            else:
                result.append(byte)
        return bytes(result), False
