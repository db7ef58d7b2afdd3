"""`pier commit`: an image from a container's changes."""

from __future__ import annotations

from pier.cli.command import Cli, Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FLAGS = """
-a, --author string    Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")
-c, --change list      Apply Dockerfile instruction to the created image
-m, --message string   Commit message
-p, --pause            Pause container during commit (default true)
"""


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Ask for the commit and print the image's id."""
    query: dict[str, str | list[str]] = {"container": arguments[0]}
    if len(arguments) > 1:
        from pier.cli.output.references import split  # lazily: a commit need not have a name

        query["repo"], query["tag"] = split(arguments[1])
    for name, key in (("author", "author"), ("message", "comment")):
        if flags.text(name):
            query[key] = flags.text(name)
    if flags.many("change"):
        query["changes"] = flags.many("change")
    if not flags.on("pause", True):
        query["pause"] = "0"
    cli.out(cli.client.post("/commit", query)["Id"])


DEFINITIONS = {
    "container commit": Definition("[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", run, flags=FLAGS, least=1, most=2),
}
