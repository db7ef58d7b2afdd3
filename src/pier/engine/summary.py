"""One row of `GET /containers/json`, made of a container's record alone."""

from pier.engine.endpoints import port_rows, shown_endpoints
from pier.engine.record import Mounted, Record
from pier.engine.status import describe
from pier.spec import go_json

Json = dict[str, object]


def summarise(
    record: Record, image: str, now: int, sizes: tuple[int, int] | None = None, *, health: str = "none"
) -> Json:
    """The row in Docker's JSON at `now` (ns). `image` is the name to show; sizes are (writable layer, whole root)."""
    row: Json = {
        "Id": record.id,
        "Names": ["/" + record.name],
        "Image": image,
        "ImageID": record.image_id,
        "Command": command(record.path, record.args),
        "Created": record.created // 1_000_000_000,
        "Ports": port_rows(record) if record.state.running else [],
    }
    if sizes is not None:
        row |= {key: size for key, size in (("SizeRw", sizes[0]), ("SizeRootFs", sizes[1])) if size}
    return row | {
        "Labels": record.config.Labels or {},
        "State": record.state.status,
        "Status": describe(record.state, now, health),
        "HostConfig": _host_config(record),
        "NetworkSettings": {"Networks": shown_endpoints(record)},
        "Mounts": [mount_json(mounted) for mounted in record.mounts],
    }


def command(path: str, args: tuple[str, ...]) -> str:
    """The program and its arguments in one line, those with spaces quoted, as Docker shows them."""
    return " ".join([path, *(f"'{argument}'" if " " in argument else argument for argument in args)])


def mount_json(mounted: Mounted) -> Json:
    """A mount as `Mounts` shows it: name and driver only where there are some."""
    row = go_json.to_builtins(mounted.point)
    return {key: value for key, value in row.items() if value != "" or key not in ("Name", "Driver")}


def _host_config(record: Record) -> Json:
    shown: Json = {"NetworkMode": record.host_config.NetworkMode}
    if record.host_config.Annotations:
        shown["Annotations"] = record.host_config.Annotations
    return shown
