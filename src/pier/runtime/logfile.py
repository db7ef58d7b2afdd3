"""The json-file log as the keeper writes it: output cut into lines, each a JSON object, with rotation.

A chunk of output becomes log entries by a few replaces over the whole of it, never by a loop over its lines, so that a
million lines take a second. Lines longer than `LONGEST_LINE` are cut, as Docker cuts them. The format is Docker's.
"""

import os
import re
import time

# Docker cuts a line at this length into entries without a newline.
LONGEST_LINE = 16 * 1024
# Entries that a full disk refused wait up to so many bytes; the oldest go first.
LATE = 1 << 20
_CUT = re.compile(rb"[^\n]{%d}|[^\n]*\n|[^\n]+\Z" % LONGEST_LINE)
_CONTROL = re.compile(rb"[\x00-\x09\x0b\x0c\x0e-\x1f]")
_NOT_CONTROL = bytes(range(32, 256)) + b"\n\r"
_LONE = re.compile("[\udc80-\udcff]")
_SEPARATORS = (("\u2028", "\\u2028"), ("\u2029", "\\u2029"))
_ESCAPES = (
    (b"\\", b"\\\\"),
    (b'"', b'\\"'),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    (b"\r", b"\\r"),
)


def timestamp(nanoseconds: int) -> bytes:
    """RFC 3339 with nanoseconds as Go prints it: zeros at the end of the fraction are left out."""
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    text = f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
    return (text + (f".{fraction:09}".rstrip("0") if fraction else "") + "Z").encode()


def escape(text: bytes) -> bytes:
    """Bytes as the inside of JSON strings, as Docker's encoder writes them, newlines left alone.

    A byte that is not UTF-8 becomes U+FFFD.
    """
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    if text.translate(None, _NOT_CONTROL):
        text = _CONTROL.sub(lambda match: b"\\u%04x" % match[0][0], text)
    return text if text.isascii() else _escape_wide(text)


def _escape_wide(text: bytes) -> bytes:
    try:
        decoded = text.decode()
    except UnicodeDecodeError:
        decoded = _LONE.sub("\\\\ufffd", text.decode(errors="surrogateescape"))
    for plain, escaped in _SEPARATORS:
        decoded = decoded.replace(plain, escaped)
    return decoded.encode()


def entries(text: bytes, stream: bytes, time_: bytes) -> bytes:
    """The log entries of a text of whole lines; a last line without its newline is an entry without one."""
    end = b'","stream":"' + stream + b'","time":"' + time_ + b'"}\n'
    if _has_long_line(text):
        return b"".join([_entry(piece, end) for piece in _CUT.findall(text)])
    body = escape(text).replace(b"\n", b"\\n" + end + b'{"log":"')
    return b'{"log":"' + (body[:-8] if text.endswith(b"\n") else body + end)


def _has_long_line(text: bytes) -> bool:
    start = 0
    while start + LONGEST_LINE <= len(text):
        newline = text.rfind(b"\n", start, start + LONGEST_LINE)
        if newline < 0:
            return True
        start = newline + 1
    return False


def _entry(piece: bytes, end: bytes) -> bytes:
    return b'{"log":"' + escape(piece).replace(b"\n", b"\\n") + end


class LogFile:
    """An open log. `max_size` in bytes, 0 for no limit; `max_file` counts the files that are kept."""

    def __init__(self, path: str, max_size: int, max_file: int) -> None:
        self._path, self._max_size, self._max_file = path, max_size, max(max_file, 1)
        self._rest = {b"stdout": b"", b"stderr": b""}
        self._late = b""
        self._descriptor = -1
        self._open(0)

    def _open(self, flags: int) -> None:
        self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | flags, 0o640)
        self._size = os.fstat(self._descriptor).st_size

    def write(self, stream: bytes, chunk: bytes) -> None:
        """Append output. An unfinished line waits for its end, or until it fills an entry. Raises OSError."""
        rest = self._rest[stream]
        text = rest + chunk if rest else chunk
        cut = text.rfind(b"\n") + 1
        cut += (len(text) - cut) // LONGEST_LINE * LONGEST_LINE
        self._rest[stream] = text[cut:]
        if cut:
            self._append(entries(text[:cut] if cut < len(text) else text, stream, timestamp(time.time_ns())))

    def close(self) -> None:
        """Write unfinished lines, and close. Raises OSError."""
        rests = [(stream, rest) for stream, rest in self._rest.items() if rest]
        try:
            if self._late or rests:
                self._append(b"".join(entries(rest, stream, timestamp(time.time_ns())) for stream, rest in rests))
        finally:
            if self._descriptor >= 0:
                os.close(self._descriptor)

    def _append(self, text: bytes) -> None:
        """Write entries after those that are late; what a full disk refuses is late from now on."""
        text, self._late = self._late + text, b""
        if self._descriptor < 0:
            self._keep(text)
            self._open(0)
            text, self._late = self._late, b""
        while self._max_size and self._size + len(text) > self._max_size:
            room = self._max_size - self._size
            cut = text.rfind(b"\n", 0, max(room, 0)) + 1
            if not cut and not self._size:
                cut = text.find(b"\n") + 1  # an entry longer than a file gets a file of its own
            self._put(text, cut)
            text = text[cut:]
            if not text:
                return
            self._keep(text)  # in case that the next file cannot be opened
            self._rotate()
            text, self._late = self._late, b""
        self._put(text, len(text))

    def _put(self, text: bytes, end: int) -> None:
        """Write `text` up to `end`. An entry that was cut in its middle is taken back, or it would spoil the next."""
        start, done = self._size, 0
        try:
            while done < end:
                done += os.write(self._descriptor, memoryview(text)[done:end])
        except OSError:
            done = text.rfind(b"\n", 0, done) + 1
            os.ftruncate(self._descriptor, start + done)
            self._keep(text[done:])
            raise
        finally:
            self._size = start + done

    def _keep(self, text: bytes) -> None:
        """Note entries for later, whole ones, the newest when there are too many."""
        self._late = text if len(text) <= LATE else text[text.find(b"\n", len(text) - LATE) + 1 :]

    def _rotate(self) -> None:
        """Shift log.1 to log.2 and so on; the oldest is dropped. A log of one file starts again from nothing."""
        os.close(self._descriptor)
        self._descriptor = -1
        for number in range(self._max_file - 1, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            try:
                os.rename(older, f"{self._path}.{number}")
            except FileNotFoundError:
                continue
        self._open(os.O_TRUNC)
