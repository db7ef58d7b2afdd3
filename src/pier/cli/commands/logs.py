"""`pier logs`: what a container has written."""

from __future__ import annotations

import time

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure
from pier.cli.output.times import parse_point
from pier.cli.streaming import write_all
from pier.client.frames import STDERR, demultiplex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FLAGS = """
    --details        Show extra details provided to logs
-f, --follow         Follow log output
    --since string   Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
-n, --tail string    Number of lines to show from the end of the logs (default "all")
-t, --timestamps     Show timestamps
    --until string   Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)
"""


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Ask for the log and copy its streams to ours."""
    query: dict[str, str | list[str]] = {"stdout": "1", "stderr": "1", "tail": flags.text("tail", "all")}
    for name in ("since", "until"):
        try:
            point = parse_point(flags.text(name), time.time())
        except ValueError as error:
            raise Failure(f'invalid value for "{name}": {error}') from None
        if point:
            query[name] = point
    query |= {name: "1" for name in ("follow", "timestamps", "details") if flags.on(name)}
    container = cli.client.get(path(arguments[0], "json"))
    response = cli.client.open("GET", path(container["Id"], "logs"), query)
    if container["Config"]["Tty"]:
        for chunk in response.chunks():
            write_all(1, chunk)
        return
    for stream, payload in demultiplex(response.chunks()):
        write_all(2 if stream == STDERR else 1, payload)


DEFINITIONS = {"container logs": Definition("[OPTIONS] CONTAINER", run, flags=FLAGS, least=1, most=1)}
