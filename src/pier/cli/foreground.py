"""A container in the foreground, as `run`, `start -a` and `attach` have it: its streams, its signals, its exit code."""

from __future__ import annotations

import signal
import sys

from pier.cli import signals, terminal
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure
from pier.cli.streaming import Stream, await_answer
from pier.client import documents
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from pier.cli.command import Cli
    from pier.client.client import Client, Taken
    from pier.client.http import Response


def detach_keys(cli: Cli, given: str) -> tuple[str, bytes]:
    """The keys as the API takes them, and as bytes; the configuration's are used where the flag is not given."""
    text = given or cli.setting("detachKeys")
    return text, terminal.parse_keys(text) if text else terminal.DEFAULT_KEYS


def check_terminal(*, stdin: bool, tty: bool) -> None:
    """A terminal in the container needs a terminal here, when input is sent."""
    if stdin and tty and not sys.stdin.isatty():
        raise Failure("the input device is not a TTY")


class Foreground:
    """Signals are passed on, the size of the terminal is followed."""

    def __init__(self, client: Client, target: str, *, tty: bool, proxy: bool) -> None:
        self.client = client
        self.target = target
        self.tty = tty
        self.following = tty and sys.stdout.isatty()
        numbers = signals.proxied() if proxy else []
        self.caught = signals.Caught([*numbers, signal.SIGWINCH] if self.following else numbers)

    def on_signal(self, number: int) -> None:
        """Pass a signal on, or tell the new size."""
        if number == signal.SIGWINCH:
            self.resize()
            return
        try:
            self.client.post(f"{self.target}/kill", {"signal": signals.name(number)})
        except PierError:
            return  # the container may be gone already

    def resize(self) -> None:
        """Tell the daemon how big our terminal is."""
        rows, columns = terminal.size()
        if not self.following or not (rows and columns):
            return
        try:
            self.client.post(f"{self.target}/resize", {"h": str(rows), "w": str(columns)})
        except PierError:
            return  # a container that has just ended has no terminal

    def stream(self, taken: Taken, *, stdin: bool, output: bool, keys: bytes) -> None:
        """Copy the streams until they end; raises Detached."""
        stream = Stream(
            taken,
            stdin=stdin,
            tty=self.tty,
            output=output,
            keys=keys if self.tty else b"",
            on_signal=self.on_signal,
            caught=self.caught,
        )
        with raw_input(stdin and self.tty):
            stream.run()

    def exit_code(self, response: Response) -> int:
        """What the wait that was begun earlier says; 125 when it failed."""
        data = await_answer(response, self.caught, self.on_signal)
        try:
            answer = documents.decode(data)
        except ValueError:
            sys.stderr.write("error waiting for container: unexpected EOF\n")
            return 125
        if answer.get("Error") and answer["Error"].get("Message"):
            sys.stderr.write(f"error waiting for container: {answer['Error']['Message']}\n")
            return 125
        return int(answer["StatusCode"])


def raw_input(wanted: bool) -> AbstractContextManager[object]:
    """Raw mode of the terminal on stdin, where it is wanted and there is one."""
    return terminal.Raw(0) if wanted and sys.stdin.isatty() else _Nothing()


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def attach(
    client: Client, name: str, *, stdin: bool, stdout: bool, stderr: bool, keys: str, logs: bool = False
) -> Taken:
    """Take the container's streams over."""
    query: dict[str, str | list[str]] = {"stream": "1"}
    flags = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "logs": logs}
    query |= {key: "1" for key, on in flags.items() if on}
    if keys:
        query["detachKeys"] = keys
    return client.take_over(path(name, "attach"), query)


def begin_wait(client: Client, name: str, condition: str) -> Response:
    """Ask for the exit code now, to read it later."""
    return client.open("POST", path(name, "wait"), {"condition": condition})
