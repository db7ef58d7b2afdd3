"""`pier diff`: what a container changed in its file system."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

KINDS = ("C", "A", "D")


def run(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """One line for each path."""
    if not arguments[0]:
        raise Failure("Container name cannot be empty")
    for change in cli.client.get(path(arguments[0], "changes")) or []:
        cli.out(f"{KINDS[change['Kind']]} {change['Path']}")


DEFINITIONS = {"container diff": Definition("CONTAINER", run, least=1, most=1)}
