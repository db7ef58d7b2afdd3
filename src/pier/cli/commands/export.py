"""`pier export`: a container's file system as an archive."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.archives import output
from pier.cli.commands.lifecycle import path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FLAGS = "-o, --output string   Write to a file, instead of STDOUT\n"


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """To a file or to stdout."""
    output(cli, flags.text("output"), path(arguments[0], "export"), {}, "export")


DEFINITIONS = {"container export": Definition("[OPTIONS] CONTAINER", run, flags=FLAGS, least=1, most=1)}
