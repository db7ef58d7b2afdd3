"""`pier system df`: what images, containers and volumes take on the disk."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands import images, ps, volumes
from pier.cli.output import formats, units
from pier.cli.templates.values import Row, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
    --format string   @format
-v, --verbose         Show detailed information on space usage
"""
TABLE = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}"
HEADERS = {"Type": "TYPE", "TotalCount": "TOTAL", "Active": "ACTIVE", "Size": "SIZE", "Reclaimable": "RECLAIMABLE"}
IMAGES = (
    "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}"
    "\t{{.Containers}}"
)
CONTAINERS = (
    "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}"
)
VOLUMES = "table {{.Name}}\t{{.Links}}\t{{.Size}}"
CACHE = "CACHE ID   CACHE TYPE   SIZE      CREATED   LAST USED   USAGE     SHARED\n"
ACTIVE = ("running", "paused", "restarting")


def run(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """A summary, or every object."""
    usage: dict[str, Any] = cli.client.get("/system/df")
    form = flags.text("format")
    if flags.on("verbose"):
        _verbose(usage, form)
        return
    rows = [_images(usage), _containers(usage), _volumes(usage), _row("Build Cache", 0, 0, 0, None, share=False)]
    formats.show(TABLE if form in ("", "table") else form, HEADERS, rows)


def _row(kind: str, total: int, active: int, size: int, free: int | None, *, share: bool = True) -> Row:
    reclaimable = units.human_size(free or 0)
    if share and size > 0 and free is not None:
        reclaimable += f" ({free * 100 // size}%)"
    return Row(
        "formatter.diskUsageContext",
        {
            "Type": lambda: kind,
            "TotalCount": lambda: str(total),
            "Active": lambda: str(active),
            "Size": lambda: units.human_size(size),
            "Reclaimable": lambda: reclaimable,
        },
    )


def _images(usage: dict[str, Any]) -> Row:
    found = usage.get("Images") or []
    total = usage.get("LayersSize") or 0
    used = [image for image in found if image.get("Containers")]
    counted = [image for image in used if image["Size"] != -1 and image.get("SharedSize", -1) != -1]
    taken = sum(image["Size"] - image["SharedSize"] for image in counted)
    return _row("Images", len(found), sum(image["Containers"] > 0 for image in used), total, total - taken)


def _containers(usage: dict[str, Any]) -> Row:
    found = usage.get("Containers") or []
    active = [container for container in found if container["State"] in ACTIVE]
    size = sum(container.get("SizeRw") or 0 for container in found)
    free = sum(container.get("SizeRw") or 0 for container in found if container not in active)
    return _row("Containers", len(found), len(active), size, free)


def _volumes(usage: dict[str, Any]) -> Row:
    found = [(volume.get("UsageData") or {"Size": -1, "RefCount": -1}) for volume in usage.get("Volumes") or []]
    size = sum(data["Size"] for data in found if data["Size"] != -1)
    free = sum(data["Size"] for data in found if data["Size"] != -1 and data["RefCount"] == 0)
    return _row("Local Volumes", len(found), sum(data["RefCount"] > 0 for data in found), size, free)


def _verbose(usage: dict[str, Any], form: str) -> None:
    trunc = form in ("", "table")
    found = usage.get("Images") or []
    image_rows = [images.rows_of(image, trunc=trunc)[0] for image in found]
    container_rows = [ps.row(one | {"SizeRootFs": 0}, trunc=trunc) for one in usage.get("Containers") or []]
    volume_rows = [volumes.row(volume) for volume in usage.get("Volumes") or []]
    if not trunc:
        everything: dict[str, object] = {"Images": image_rows, "Containers": container_rows, "Volumes": volume_rows}
        formats.show_object(form, Struct(everything | {"BuildCache": []}))
        return
    sys.stdout.write("Images space usage:\n\n" + formats.render(IMAGES, images.HEADERS, image_rows))
    sys.stdout.write("\nContainers space usage:\n\n" + formats.render(CONTAINERS, ps.HEADERS, container_rows))
    sys.stdout.write("\nLocal Volumes space usage:\n\n" + formats.render(VOLUMES, volumes.HEADERS, volume_rows))
    sys.stdout.write("\nBuild cache usage: 0B\n\n" + CACHE)


DEFINITIONS = {"system df": Definition("[OPTIONS]", run, flags=FLAGS, most=0)}
