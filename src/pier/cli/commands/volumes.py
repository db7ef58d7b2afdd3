"""`pier volume create`, `ls` and `rm`."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.create.types import label
from pier.cli.failure import Failure
from pier.cli.output import filters, formats, units
from pier.cli.output.sorting import natural
from pier.cli.templates.values import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

CREATE_FLAGS = """
    --availability string       Cluster Volume availability ("active", "pause", "drain") (default "active")
-d, --driver string             Specify volume driver name (default "local")
    --group string              Cluster Volume group (cluster volumes)
    --label label               Set metadata for a volume
    --limit-bytes bytes         Minimum size of the Cluster Volume in bytes
!--name string                  Specify volume name
-o, --opt map                   Set driver specific options (default map[])
    --required-bytes bytes      Maximum size of the Cluster Volume in bytes
    --scope string              Cluster Volume access scope ("single", "multi") (default "single")
    --secret map                Cluster Volume secrets (default map[])
    --sharing string            Cluster Volume access sharing ("none", "readonly", "onewriter", "all") (default "none")
    --topology-preferred list   A topology that the Cluster Volume would be preferred in
    --topology-required list    A topology that the Cluster Volume must be accessible from
    --type string               Cluster Volume access type ("mount", "block") (default "block")
"""
CLUSTER = ("availability", "group", "limit-bytes", "required-bytes", "scope", "secret", "sharing", "type")
CLUSTER_TOO = ("topology-preferred", "topology-required")
LIST_FLAGS = """
    --cluster         Display only cluster volumes, and use cluster volume list formatting
-f, --filter filter   Provide filter values (e.g. "dangling=true")
    --format string   @format
-q, --quiet           Only display volume names
"""
HEADERS = {
    "Name": "VOLUME NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "Availability": "AVAILABILITY",
    "Mountpoint": "MOUNTPOINT",
    "Labels": "LABELS",
    "Links": "LINKS",
    "Size": "SIZE",
    "Group": "GROUP",
    "Status": "STATUS",
}
TABLE = "table {{.Driver}}\t{{.Name}}"


def create(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Make a volume and print its name."""
    for name in (*CLUSTER, *CLUSTER_TOO):
        if flags.changed(name):
            raise Failure(f"--{name} is not supported: cluster volumes need a swarm")
    name = arguments[0] if arguments else flags.text("name")
    if arguments and flags.text("name"):
        raise Failure("conflicting options: cannot specify a volume-name through both --name and as a positional arg")
    body = {
        "Name": name,
        "Driver": flags.text("driver", "local"),
        "DriverOpts": flags.mapping("opt"),
        "Labels": flags.mapping("label"),
    }
    cli.out(cli.client.post("/volumes/create", None, body)["Name"])


def listing(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """Ask for the list and print it."""
    if flags.on("cluster"):
        raise Failure("--cluster is not supported: cluster volumes need a swarm")
    answer = cli.client.get("/volumes", filters.encode(flags.many("filter")))
    volumes = sorted(answer.get("Volumes") or [], key=lambda volume: natural(volume["Name"]))
    form = flags.text("format")
    if not form and not flags.on("quiet"):
        form = cli.setting("volumesFormat")
    if form in ("", "table"):
        form = "{{.Name}}" if flags.on("quiet") else TABLE
    elif form == "raw":
        form = "name: {{.Name}}" + ("" if flags.on("quiet") else "\ndriver: {{.Driver}}\n")
    formats.show(form, HEADERS, [row(volume) for volume in volumes])


def row(volume: dict[str, Any]) -> Row:
    """A volume as the formatter's fields."""
    usage = volume.get("UsageData")
    labels = volume.get("Labels") or {}
    return Row(
        "formatter.volumeContext",
        {
            "Name": lambda: volume["Name"],
            "Driver": lambda: volume["Driver"],
            "Scope": lambda: volume.get("Scope", "local"),
            "Mountpoint": lambda: volume.get("Mountpoint", ""),
            "Labels": lambda: formats.labels_text(labels),
            "Links": lambda: "N/A" if not usage else str(usage["RefCount"]),
            "Size": lambda: "N/A" if not usage else units.human_size(usage["Size"]),
            "Availability": lambda: "N/A",
            "Group": lambda: "N/A",
            "Status": lambda: "N/A",
        },
        {"Label": lambda name: labels.get(name, "")},
    )


def remove(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Remove each."""
    from pier.client.http import quote

    query: dict[str, str | list[str]] = {"force": "1"} if flags.on("force") else {}
    return cli.each(arguments, lambda name: cli.client.delete(f"/volumes/{quote(name)}", query))


FORCE = "-f, --force   Force the removal of one or more volumes\n"
DEFINITIONS = {
    "volume create": Definition("[OPTIONS] [VOLUME]", create, flags=CREATE_FLAGS, most=1, types={"label": label}),
    "volume ls": Definition("[OPTIONS]", listing, flags=LIST_FLAGS, most=0),
    "volume rm": Definition(
        "[OPTIONS] VOLUME [VOLUME...]",
        remove,
        flags=FORCE,
        least=1,
        long="Remove one or more volumes. You cannot remove a volume that is in use by a container.",
    ),
}
