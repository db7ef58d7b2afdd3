"""`pier context`: the daemons that Docker's client configuration knows, read and never written."""

from __future__ import annotations

import os

from pier.cli.command import Cli, Definition
from pier.cli.commands.inspect import show as show_objects
from pier.cli.output import formats
from pier.cli.templates.values import Row
from pier.client import contexts
from pier.client.address import DEFAULT_HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

LIST_FLAGS = """
    --format string   @format
-q, --quiet           Only show context names
"""
TABLE = "table {{.Name}}{{if .Current}} *{{end}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}"
HEADERS = {"Name": "NAME", "Description": "DESCRIPTION", "DockerEndpoint": "DOCKER ENDPOINT", "Error": "ERROR"}
DEFAULT_WORDS = "Current DOCKER_HOST based configuration"


def current(cli: Cli) -> str:
    """The name of the context in effect."""
    return contexts.context_name(cli.choice, os.environ, cli.configuration)


def _default(cli: Cli) -> contexts.Context:
    hosts = cli.choice.hosts
    host = hosts[0] if hosts else os.environ.get("DOCKER_HOST") or DEFAULT_HOST
    return contexts.Context("default", host, DEFAULT_WORDS)


def _find(cli: Cli, name: str) -> contexts.Context:
    return _default(cli) if name == "default" else contexts.find_context(cli.directory, name)


def listing(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """All contexts; the one in effect has a star."""
    found = sorted([_default(cli), *contexts.list_contexts(cli.directory)], key=lambda context: context.name)
    name = current(cli)
    form = flags.text("format")
    if form in ("", "table"):
        form = "{{.Name}}" if flags.on("quiet") else TABLE
    formats.show(form, HEADERS | {"Current": ""}, [_row(context, name) for context in found])


def _row(context: contexts.Context, name: str) -> Row:
    return Row(
        "formatter.clientContextContext",
        {
            "Current": lambda: context.name == name,
            "Name": lambda: context.name,
            "Description": lambda: context.description,
            "DockerEndpoint": lambda: context.host,
            "Error": lambda: "",
        },
    )


def show(cli: Cli, _flags: Parsed, _arguments: list[str]) -> None:
    """The name of the context in effect."""
    cli.out(current(cli))


def inspect(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """A context as Docker stores it."""

    def get(name: str) -> object:
        context = _find(cli, name)
        endpoint = {"Host": context.host, "SkipTLSVerify": context.skip_verify}
        metadata = {"Description": context.description} if context.name != "default" and context.description else {}
        return {"Name": context.name, "Metadata": metadata, "Endpoints": {"docker": endpoint}}

    return show_objects(cli, flags, arguments or [current(cli)], get)


DEFINITIONS = {
    "context ls": Definition("[OPTIONS]", listing, flags=LIST_FLAGS, most=0),
    "context show": Definition("", show, most=0),
    "context inspect": Definition(
        "[OPTIONS] [CONTEXT] [CONTEXT...]", inspect, flags="-f, --format string   @format-inspect\n"
    ),
}
