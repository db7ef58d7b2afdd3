"""`pier version`: what this program is, and what the daemon is."""

from __future__ import annotations

import os
import sys

from pier import __version__
from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = "-f, --format string   @format-inspect\n"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def short(program: str) -> str:
    """The line of `--version`."""
    return f"Pier version {__version__}, build {'unknown'}" if program == "pier" else f"Docker version {__version__}"


def _client(cli: Cli) -> dict[str, Any]:
    from pier.client import client as api
    from pier.client.contexts import context_name

    machine = os.uname().machine
    version = ".".join(str(part) for part in sys.version_info[:3])
    return {
        "Version": __version__,
        "ApiVersion": cli.client.version or api.MAXIMUM_VERSION,
        "DefaultAPIVersion": api.MAXIMUM_VERSION,
        "GitCommit": "",
        "GoVersion": f"python{version}",
        "Os": "linux",
        "Arch": MACHINES.get(machine, machine),
        "BuildTime": "",
        "Context": context_name(cli.choice, os.environ, cli.configuration),
    }


def run(cli: Cli, flags: Parsed, _arguments: list[str]) -> int:
    """Both sides; the client's alone, and an error, when there is no daemon."""
    problem: PierError | None = None
    server: dict[str, Any] | None = None
    try:
        server = cli.client.get("/version")
    except PierError as error:
        problem = error
    client = _client(cli)
    form = flags.text("format")
    if form:
        from pier.cli.output import formats
        from pier.cli.templates.values import typed

        formats.show_object(form, typed({"Client": client, "Server": server}))
    else:
        sys.stdout.write(describe(client, server))
    if problem is None:
        return 0
    from pier.cli.report import describe as words

    raise Failure(words(problem))


def describe(client: dict[str, Any], server: dict[str, Any] | None) -> str:
    """The text for people."""
    version = client["ApiVersion"]
    if version != client["DefaultAPIVersion"]:
        version += f" (downgraded from {client['DefaultAPIVersion']})"
    lines = [
        "Client:",
        f" Version:           {client['Version']}",
        f" API version:       {version}",
        f" Python version:    {client['GoVersion'].removeprefix('python')}",
        f" OS/Arch:           {client['Os']}/{client['Arch']}",
        f" Context:           {client['Context']}",
    ]
    if server is not None:
        platform = (server.get("Platform") or {}).get("Name", "")
        lines += ["", f"Server: {platform}" if platform else "Server:"]
        for component in server.get("Components") or []:
            lines += _component(component)
    return "\n".join(lines) + "\n"


def _component(component: dict[str, Any]) -> list[str]:
    details = component.get("Details") or {}
    lines = [f" {component['Name']}:", f"  Version:          {component['Version']}"]
    if component["Name"] != "Engine":
        return lines + [f"  {key + ':':<17} {details[key]}" for key in sorted(details)]
    api = details.get("ApiVersion", "")
    if details.get("MinAPIVersion"):
        api += f" (minimum version {details['MinAPIVersion']})"
    lines.append(f"  API version:      {api}")
    rows = (("Go version", "GoVersion"), ("Git commit", "GitCommit"), ("Built", "BuildTime"))
    for title, key in rows:
        if details.get(key):
            lines.append(f"  {title + ':':<17} {details[key]}")
    lines.append(f"  OS/Arch:          {details.get('Os', '')}/{details.get('Arch', '')}")
    lines.append(f"  Experimental:     {details.get('Experimental', 'false')}")
    return lines


DEFINITIONS = {"version": Definition("[OPTIONS]", run, flags=FLAGS, most=0)}
