"""`pier search`: repositories of Docker Hub, or of the registry that the term begins with."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.login import HUB
from pier.cli.output import filters, formats
from pier.cli.templates.values import Row
from pier.client.credentials import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-f, --filter filter   Filter output based on conditions provided
    --format string   Pretty-print search using a Go template
    --limit int       Max number of search results
    --no-trunc        Don't truncate output
"""
TABLE = "table {{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}"
HEADERS = {
    "Name": "NAME",
    "Description": "DESCRIPTION",
    "StarCount": "STARS",
    "IsOfficial": "OFFICIAL",
    "IsAutomated": "AUTOMATED",
}
WIDTH = 45


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """One line for each repository."""
    query: dict[str, str | list[str]] = {"term": arguments[0], **filters.encode(flags.many("filter"))}
    if flags.changed("limit"):
        query["limit"] = str(flags.number("limit"))
    host = arguments[0].partition("/")[0] if "/" in arguments[0] else ""
    value = header(cli.configuration, host if "." in host or ":" in host or host == "localhost" else HUB)
    found = cli.client.call("GET", "/images/search", query, None, {"X-Registry-Auth": value} if value else {}) or []
    form = flags.text("format")
    rows = [_row(one, trunc=not flags.on("no-trunc")) for one in found]
    formats.show(TABLE if form in ("", "table") else form, HEADERS, rows)


def _row(found: dict[str, Any], *, trunc: bool) -> Row:
    description = str(found.get("description") or "").replace("\n", " ").replace("\r", " ")
    return Row(
        "formatter.searchContext",
        {
            "Name": lambda: found.get("name", ""),
            "Description": lambda: formats.ellipsis(description, WIDTH) if trunc else description,
            "StarCount": lambda: str(found.get("star_count") or 0),
            "IsOfficial": lambda: "[OK]" if found.get("is_official") else "",
            "IsAutomated": lambda: "[OK]" if found.get("is_automated") else "",
        },
    )


DEFINITIONS = {"search": Definition("[OPTIONS] TERM", run, flags=FLAGS, least=1, most=1)}
