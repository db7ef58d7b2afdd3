"""A real terminal: tmux with a server of its own, typed into and read as a person would."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.commands import run, wait_until

SECONDS = 60


class Terminal:
    """One tmux window with a shell that has a short prompt; close it after use."""

    def __init__(self, environment: Mapping[str, str], *, columns: int = 100, rows: int = 30) -> None:
        self.directory = tempfile.mkdtemp(prefix="pier-tmux-")
        self.socket = str(Path(self.directory) / "s")
        settings = dict(environment) | {"TERM": "screen", "HOME": self.directory}
        command = [
            "tmux", "-S", self.socket, "-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows),
            "/bin/sh",
        ]  # fmt: skip
        run(command, environment=settings).ok()
        self.type("PS1='ready> '; clear")
        self.expect("ready> ")

    def tmux(self, *arguments: str) -> str:
        """Ask the server."""
        return run(["tmux", "-S", self.socket, *arguments]).ok()

    def type(self, text: str) -> None:
        """Type a line and press enter."""
        self.tmux("send-keys", "-l", text)
        self.press("Enter")

    def press(self, *keys: str) -> None:
        """Press keys by tmux's names, such as C-c."""
        self.tmux("send-keys", *keys)

    def screen(self) -> str:
        """What a person sees, with what has scrolled away; lines that were wrapped are joined."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-1000")

    def expect(self, text: str, times: int = 1) -> str:
        """Wait until `text` is to be seen so many times, and give the screen."""
        try:
            wait_until(lambda: self.screen().count(text) >= times, f"{text!r} on the terminal", seconds=SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None
        return self.screen()

    def resize(self, columns: int, rows: int) -> None:
        """Change the size of the window."""
        self.tmux("resize-window", "-x", str(columns), "-y", str(rows))

    def close(self) -> None:
        """End the shell and whatever runs in it."""
        run(["tmux", "-S", self.socket, "kill-server"])
        shutil.rmtree(self.directory, ignore_errors=True)
