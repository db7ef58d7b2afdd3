"""`pier ps`: the list of containers."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.output import filters, formats, times, units
from pier.cli.templates.functions import quote
from pier.cli.templates.values import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-a, --all             Show all containers (default shows just running)
-f, --filter filter   Filter output based on conditions provided
    --format string   @format
-n, --last int        Show n last created containers (includes all states) (default -1)
-l, --latest          Show the latest created container (includes all states)
    --no-trunc        Don't truncate output
-q, --quiet           Only display container IDs
-s, --size            Display total file sizes
"""
TABLE = "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"
RAW = (
    "container_id: {{.ID}}\nimage: {{.Image}}\ncommand: {{.Command}}\ncreated_at: {{.CreatedAt}}\n"
    "state: {{- pad .State 1 0}}\nstatus: {{- pad .Status 1 0}}\nnames: {{.Names}}\n"
    "labels: {{- pad .Labels 1 0}}\nports: {{- pad .Ports 1 0}}\n"
)
HEADERS = {
    "ID": "CONTAINER ID",
    "Names": "NAMES",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "CreatedAt": "CREATED AT",
    "RunningFor": "CREATED",
    "Ports": "PORTS",
    "State": "STATE",
    "Status": "STATUS",
    "Size": "SIZE",
    "Labels": "LABELS",
    "Mounts": "MOUNTS",
    "LocalVolumes": "LOCAL VOLUMES",
    "Networks": "NETWORKS",
    "Platform": "PLATFORM",
}


def run(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """Ask for the list and print it."""
    form = flags.text("format")
    if not form and not flags.on("quiet"):
        form = cli.setting("psFormat")
    if form and flags.on("quiet"):
        cli.error("WARNING: Ignoring custom format, because both --format and --quiet are set.")
    last = 1 if flags.on("latest") else flags.number("last", -1)
    query: dict[str, str | list[str]] = {**filters.encode(flags.many("filter"))}
    if flags.on("all") or last > 0:
        query["all"] = "1"
    if last > 0:
        query["limit"] = str(last)
    if flags.on("size") or (form and _asks_for_size(form)):
        query["size"] = "1"
    containers = cli.client.get("/containers/json", query)
    rows = [row(container, trunc=not flags.on("no-trunc")) for container in containers or []]
    formats.show(choose(form, quiet=flags.on("quiet"), size=flags.on("size")), HEADERS, rows)


def _asks_for_size(form: str) -> bool:
    """Whether the template reads the size, which costs the daemon a walk; `json` alone does not, as with docker.

    A template that no container can satisfy is refused here, also where there is none.
    """
    asked = False

    def size() -> str:
        nonlocal asked
        asked = True
        return ""

    probe = row({"Id": ""}, trunc=True)
    probe.fields["Size"] = size
    formats.check(form, probe)
    return asked and form != "json"


def choose(form: str, *, quiet: bool, size: bool) -> str:
    """The format that the flags mean."""
    if form == "raw":
        return "container_id: {{.ID}}" if quiet else RAW + ("size: {{.Size}}\n" if size else "")
    if quiet:
        return "{{.ID}}"
    return TABLE + ("\t{{.Size}}" if size else "") if form in ("", "table") else form


def row(container: dict[str, Any], *, trunc: bool) -> Row:
    """A container of the list as the formatter's fields."""
    labels = container.get("Labels") or {}
    created = int(container.get("Created") or 0)
    mounts = container.get("Mounts") or []
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return Row(
        "formatter.ContainerContext",
        {
            "ID": lambda: formats.short_id(container["Id"]) if trunc else container["Id"],
            "Names": lambda: _names(container.get("Names") or [], trunc=trunc),
            "Image": lambda: _image(container, trunc=trunc),
            "Command": lambda: _command(container.get("Command") or "", trunc=trunc),
            "CreatedAt": lambda: times.go_string(created * times.NANO),
            "RunningFor": lambda: times.ago(created),
            "Ports": lambda: ports_text(container.get("Ports") or []),
            "State": lambda: container.get("State", ""),
            "Status": lambda: container.get("Status", ""),
            "Size": lambda: _size(container),
            "Labels": lambda: formats.labels_text(labels),
            "Mounts": lambda: ",".join(_mount(mount, trunc=trunc) for mount in mounts),
            "LocalVolumes": lambda: str(sum(mount.get("Driver") == "local" for mount in mounts)),
            "Networks": lambda: ",".join(networks),
            "Platform": lambda: (container.get("ImageManifestDescriptor") or {}).get("platform"),
        },
        {"Label": lambda name: labels.get(name, "")},
    )


def _names(names: list[str], *, trunc: bool) -> str:
    stripped = [name.removeprefix("/") for name in names]
    if trunc:
        return next((name for name in stripped if "/" not in name), "")
    return ",".join(stripped)


def _image(container: dict[str, Any], *, trunc: bool) -> str:
    image = str(container.get("Image") or "")
    if not image:
        return "<no image>"
    if not trunc:
        return image
    shortened = formats.short_id(container.get("ImageID") or "")
    if shortened and shortened == formats.short_id(image):
        return shortened
    return image.partition("@")[0].removeprefix("docker.io/").removeprefix("library/")


def _command(command: str, *, trunc: bool) -> str:
    return quote(formats.ellipsis(command, 20) if trunc else command)


def _size(container: dict[str, Any]) -> str:
    own = units.human_size(container.get("SizeRw") or 0, 3)
    root = container.get("SizeRootFs") or 0
    return f"{own} (virtual {units.human_size(root, 3)})" if root > 0 else own


def _mount(mount: dict[str, Any], *, trunc: bool) -> str:
    name = str(mount.get("Name") or mount.get("Source") or "")
    return formats.ellipsis(name, 15) if trunc else name


def ports_text(ports: list[dict[str, Any]]) -> str:
    """`0.0.0.0:80->80/tcp, 443/tcp`: neighbouring ports that map to themselves are joined to ranges."""
    groups: dict[tuple[str, str], list[int]] = {}
    result: list[str] = []
    mapped: list[str] = []
    for port in sorted(ports, key=_port_key):
        private, address, kind = port["PrivatePort"], port.get("IP") or "", port["Type"]
        public = port.get("PublicPort") or 0
        if address and public != private:
            mapped.append(f"{_joined(address, str(public))}->{private}/{kind}")
            continue
        key = (address, kind)
        if key not in groups:
            groups[key] = [private, private]
        elif private == groups[key][1] + 1:
            groups[key][1] = private
        else:
            result.append(_group(key, *groups[key]))
            groups[key] = [private, private]
    result += [_group(key, *bounds) for key, bounds in groups.items()]
    return ", ".join(result + mapped)


def _port_key(port: dict[str, Any]) -> tuple[int, str, int, str]:
    return port["PrivatePort"], port.get("IP") or "", port.get("PublicPort") or 0, port["Type"]


def _joined(address: str, port: str) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _group(key: tuple[str, str], first: int, last: int) -> str:
    address, kind = key
    span = str(first) if first == last else f"{first}-{last}"
    return f"{_joined(address, span)}->{span}/{kind}" if address else f"{span}/{kind}"


DEFINITIONS = {"container ls": Definition("[OPTIONS]", run, flags=FLAGS, most=0)}
