"""`pier top`: the processes of a container."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

MINIMUM = 20


def run(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """Ask the daemon, which asks ps."""
    query: dict[str, str | list[str]] = {"ps_args": " ".join(arguments[1:])} if arguments[1:] else {}
    answer = cli.client.get(path(arguments[0], "top"), query)
    from pier.cli.output.tables import align

    lines = ["\t".join(cells) for cells in [answer["Titles"], *(answer["Processes"] or [])]]
    sys.stdout.write(align("".join(line + "\n" for line in lines), minimum=MINIMUM))


DEFINITIONS = {"container top": Definition("CONTAINER [ps OPTIONS]", run, least=1, interspersed=False)}
