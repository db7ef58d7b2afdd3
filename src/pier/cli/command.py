"""What a command is made of: its definition (usage, flags, arguments) and the surroundings it runs in."""

from __future__ import annotations

import os
import sys

from pier.cli.failure import UsageFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from pier.cli.flags import Parsed, Types
    from pier.client.client import Client
    from pier.client.contexts import Choice

    Handler: TypeAlias = Callable[["Cli", Parsed, list[str]], "int | None"]

UNLIMITED = 1 << 30


class Definition:
    """A command: `usage` is what follows its name; `least` and `most` bound the number of its arguments."""

    __slots__ = ("flags", "handler", "interspersed", "least", "long", "most", "types", "usage")

    def __init__(
        self,
        usage: str,
        handler: Handler,
        *,
        flags: str = "",
        least: int = 0,
        most: int = UNLIMITED,
        interspersed: bool = True,
        long: str = "",
        types: Types | None = None,
    ) -> None:
        self.usage = usage
        self.handler = handler
        self.flags = flags
        self.least = least
        self.most = most
        self.interspersed = interspersed
        self.long = long
        self.types = types

    def check(self, name: str, count: int) -> None:
        """Refuse a wrong number of arguments in Docker's words."""
        if self.least <= count <= self.most:
            return
        if self.most == 0:
            raise UsageFailure(f"'{name}' accepts no arguments", prefix=True)
        if self.least == self.most:
            raise UsageFailure(f"'{name}' requires {_counted(self.least)}", prefix=True)
        if self.most == UNLIMITED:
            raise UsageFailure(f"'{name}' requires at least {_counted(self.least)}", prefix=True, hint="See")
        if self.least == 0:
            raise UsageFailure(f"'{name}' requires at most {_counted(self.most)}", prefix=True)
        raise UsageFailure(f"'{name}' requires at least {self.least} and at most {_counted(self.most)}", prefix=True)


def _counted(count: int) -> str:
    return f"{count} argument" if count == 1 else f"{count} arguments"


class Cli:
    """The program's surroundings: its name, the global flags, the configuration, and the daemon when it is needed."""

    def __init__(self, program: str, choice: Choice | None = None, directory: str = "") -> None:
        self.program = program
        self.command = ""
        self.debug = False
        self._choice = choice
        self._directory = directory
        self._client: Client | None = None
        self._configuration: dict[str, object] | None = None

    @property
    def directory(self) -> str:
        """Where the client's configuration is."""
        if not self._directory:
            from pier.client.contexts import configuration_directory  # lazily: not every command reads it

            self._directory = configuration_directory(os.environ)
        return self._directory

    @property
    def configuration(self) -> dict[str, object]:
        """config.json, read once."""
        if self._configuration is None:
            from pier.client.contexts import read_configuration  # lazily: as above

            self._configuration = read_configuration(self.directory)
        return self._configuration

    def setting(self, name: str) -> str:
        """A text of the configuration, empty when it is not there."""
        value = self.configuration.get(name)
        return value if isinstance(value, str) else ""

    @property
    def choice(self) -> Choice:
        """The global flags that say which daemon to talk to."""
        if self._choice is None:
            from pier.client.contexts import Choice  # lazily: as above

            self._choice = Choice([])
        return self._choice

    @property
    def client(self) -> Client:
        """The daemon's client; nothing is connected before the first call."""
        if self._client is None:
            from pier.client.client import Client  # lazily: `--help` needs no sockets
            from pier.client.contexts import resolve

            headers = self.configuration.get("HttpHeaders")
            extra = {str(key): str(value) for key, value in headers.items()} if isinstance(headers, dict) else {}
            self._client = Client(resolve(self.choice, os.environ, self.directory), headers=extra)
            if self.debug:
                self._client.trace = lambda request: self.error(f"debug: {request}")
        return self._client

    def out(self, text: str) -> None:
        """A line on stdout."""
        sys.stdout.write(text + "\n")

    def error(self, text: str) -> None:
        """A line on stderr, after what stdout still holds."""
        sys.stdout.flush()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def write(self, stream: int, data: bytes) -> None:
        """Bytes to descriptor 1 or 2, all of them."""
        view = memoryview(data)
        while view:
            view = view[os.write(stream, view) :]

    def each(self, names: list[str], action: Callable[[str], object], *, echo: bool = True) -> int:
        """Do one thing to several objects: names of those that worked on stdout, errors after, 1 if any failed."""
        from pier.cli.report import describe  # lazily: errors are rare
        from pier.spec.errors import PierError

        failed = 0
        for name in names:
            try:
                action(name)
            except PierError as error:
                self.error(describe(error))
                failed = 1
            else:
                if echo:
                    self.out(name)
        return failed
