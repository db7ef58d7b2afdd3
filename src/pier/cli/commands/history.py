"""`pier history`: how an image came to be."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.rmi import image_path
from pier.cli.output import formats, times, units
from pier.cli.templates.values import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
    --format string     @format
-H, --human             Print sizes and dates in human readable format (default true)
    --no-trunc          Don't truncate output
    --platform string   Show history for the given platform. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
-q, --quiet             Only show image IDs
"""
TABLE = "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"
HEADERS = {
    "ID": "IMAGE",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "CreatedBy": "CREATED BY",
    "Size": "SIZE",
    "Comment": "COMMENT",
}


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """One line for each step."""
    query: dict[str, str | list[str]] = {}
    if flags.text("platform"):
        from pier.cli.commands.rmi import platform_document

        query["platform"] = platform_document(flags.text("platform"))
    steps = cli.client.get(image_path(arguments[0], "history"), query) or []
    trunc, human = not flags.on("no-trunc"), flags.on("human", True)
    form = flags.text("format")
    if form in ("", "table"):
        form = "{{.ID}}" if flags.on("quiet") else TABLE
        if not human and not flags.on("quiet"):
            form = form.replace("{{.CreatedSince}}", "{{.CreatedAt}}")
    formats.show(form, HEADERS, [row(step, trunc=trunc, human=human) for step in steps])


def row(step: dict[str, Any], *, trunc: bool, human: bool) -> Row:
    """A step as the formatter's fields."""
    created = int(step.get("Created") or 0)
    by = str(step.get("CreatedBy") or "").replace("\t", " ")
    size = step.get("Size") or 0
    return Row(
        "image.historyContext",
        {
            "ID": lambda: formats.short_id(step["Id"]) if trunc else step["Id"],
            "CreatedAt": lambda: times.rfc3339(created * times.NANO, digits=0),
            "CreatedSince": lambda: times.ago(created) if created > 0 else "N/A",
            "CreatedBy": lambda: formats.ellipsis(by, 45) if trunc else by,
            "Size": lambda: units.human_size(size, 3) if human else str(size),
            "Comment": lambda: step.get("Comment") or "",
        },
    )


DEFINITIONS = {"image history": Definition("[OPTIONS] IMAGE", run, flags=FLAGS, least=1, most=1)}
