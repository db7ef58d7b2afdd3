"""The progress that the daemon streams (`{"status":…,"id":…,"progressDetail":…}`), drawn as Docker draws it.

On a terminal each id keeps a line, reached by moving the cursor; elsewhere progress bars are left out.
"""

from __future__ import annotations

import json
import os

from pier.cli.failure import Failure
from pier.cli.output import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Protocol

    class Stream(Protocol):
        """What a display needs of a stream; one that is a terminal has a descriptor too."""

        def isatty(self) -> bool:
            """True for a terminal."""

        def write(self, text: str, /) -> int:
            """Write a piece of text."""

        def flush(self) -> None:
            """Show what was written."""


BAR = 50


class Silence:
    """A stream that shows nothing, for `--quiet`."""

    def isatty(self) -> bool:
        """No terminal."""
        return False

    def write(self, text: str) -> int:
        """Take a text."""
        return len(text)

    def flush(self) -> None:
        """There is nothing to show."""


def bar(detail: dict[str, Any], columns: int) -> str:
    """`[==>   ]  1.2MB/3.4MB`; empty for a detail without numbers."""
    current, total = detail.get("current") or 0, detail.get("total") or 0
    if current <= 0 and total <= 0:
        return ""
    shown = units.human_size(current)
    if detail.get("units"):
        shown = str(current)
    if total <= 0:
        return f"{shown:>8} {detail.get('units') or ''}".rstrip()
    percentage = min(int(current / total * 100) // 2, BAR)
    box = f"[{'=' * percentage}>{' ' * (BAR - percentage)}] " if columns > 110 else ""
    if detail.get("hidecounts"):
        return box
    whole = units.human_size(total) if not detail.get("units") else f"{total} {detail['units']}"
    return box + (f"{shown:>8}/{whole}" if current <= total else f"{shown:>8}")


class Display:
    """Draws one stream of messages."""

    def __init__(self, stream: Stream, on_aux: Callable[[Any], None] | None = None) -> None:
        self.stream = stream
        self.terminal = stream.isatty()
        self.on_aux = on_aux
        self.lines: dict[str, int] = {}

    def show(self, messages: Iterable[bytes]) -> None:
        """All messages; an error among them ends the command."""
        for line in messages:
            try:
                message = json.loads(line)
            except ValueError:
                raise Failure(f"invalid progress message: {line[:200].decode('utf-8', 'replace')}") from None
            self._one(message)

    def _one(self, message: dict[str, Any]) -> None:
        if "aux" in message:
            if self.on_aux is not None:
                self.on_aux(message["aux"])
            return
        identity = message.get("id") or ""
        detail = message.get("progressDetail")
        up = 0
        if identity and (detail is not None or message.get("progress")):
            if identity not in self.lines:
                self.lines[identity] = len(self.lines)
                if self.terminal:
                    self.stream.write("\n")
            up = len(self.lines) - self.lines[identity]
            if self.terminal:
                self.stream.write(f"\x1b[{up}A")
        else:
            self.lines = {}
        self._draw(message, identity, detail)
        if up and self.terminal:
            self.stream.write(f"\x1b[{up}B")
        self.stream.flush()

    def _draw(self, message: dict[str, Any], identity: str, detail: dict[str, Any] | None) -> None:
        if message.get("errorDetail") or message.get("error"):
            problem = message.get("errorDetail") or {}
            raise Failure(problem.get("message") or message.get("error") or "unknown error")
        progress = bar(detail, self._columns()) if detail is not None else message.get("progress") or ""
        end = ""
        if self.terminal and not message.get("stream") and detail is not None:
            self.stream.write("\x1b[2K\r")
            end = "\r"
        elif progress:
            return
        prefix = f"{identity}: " if identity else ""
        prefix += f"(from {message['from']}) " if message.get("from") else ""
        if detail is not None and self.terminal:
            self.stream.write(f"{prefix}{message.get('status', '')} {progress}{end}")
        elif message.get("stream"):
            self.stream.write(f"{prefix}{message['stream']}{end}")
        else:
            self.stream.write(f"{prefix}{message.get('status', '')}{end}\n")

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(2).columns if self.terminal else 200
        except OSError:
            return 200
