"""Images in Docker's JSON: rows of the list, inspect, history. Pure; fields that only older API versions have are
added by `api/routes/images.py`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pier.engine.durations import timestamp
from pier.images.image import Deleted, Image, Untagged
from pier.spec import timestamps
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import RunConfig

Json = dict[str, Any]
# What Go prints for a time that was never set.
_GO_ZERO = -62135596800


def summary(image: Image, *, containers: int = -1, shared: int = -1) -> Json:
    """One row of `GET /images/json`. `containers` and `shared` (bytes) are -1 where they were not counted."""
    return {
        "Containers": containers,
        "Created": seconds(image.created),
        "Id": image.id,
        "Labels": image.config.run.labels or None,
        "ParentId": image.parent,
        "RepoDigests": list(image.digests),
        "RepoTags": list(image.tags),
        "SharedSize": shared,
        "Size": image.size,
    }


def inspect(image: Image, directories: Sequence[Path]) -> Json:
    """`GET /images/{name}/json`; `directories` are the layers', lowest first."""
    config = image.config
    view: Json = {
        "Id": image.id,
        "RepoTags": list(image.tags),
        "RepoDigests": list(image.digests),
        "Parent": image.parent,
        "Comment": config.comment or _last_comment(image),
        "Created": config.created or "",
        "DockerVersion": config.docker_version,
        "Author": config.author,
        "Config": run_config(config.run),
        "Architecture": config.architecture,
        "Os": config.os,
        "Size": image.size,
        "GraphDriver": _graph_driver(directories),
        "RootFS": {"Type": "layers", "Layers": list(image.diff_ids)},
        "Metadata": {"LastTagTime": timestamp(image.tagged_at)},
    }
    if config.variant:
        view["Variant"] = config.variant
    if config.os_version:
        view["OsVersion"] = config.os_version
    return view


def run_config(config: RunConfig) -> Json:
    """The image's configuration in the OCI form: what is not set is not there (API 1.50)."""
    health = config.healthcheck
    fields: Json = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports or ()},
        "Env": config.env,
        "Entrypoint": config.entrypoint,
        "Cmd": config.cmd,
        "Volumes": {path: {} for path in config.volumes or ()},
        "WorkingDir": config.working_dir,
        "Labels": config.labels,
        "StopSignal": config.stop_signal,
        "ArgsEscaped": config.args_escaped,
        "Healthcheck": health,
        "OnBuild": config.on_build,
        "Shell": config.shell,
    }
    return {name: value for name, value in fields.items() if value}


def history(image: Image, layer_sizes: Iterable[int]) -> list[Json]:
    """`GET /images/{name}/history`, newest first: only the newest row is an image of its own."""
    sizes = iter(layer_sizes)
    rows: list[Json] = [
        {
            "Comment": step.comment,
            "Created": seconds(step.created or ""),
            "CreatedBy": step.created_by,
            "Id": "<missing>",
            "Size": 0 if step.empty_layer else next(sizes, 0),
            "Tags": None,
        }
        for step in image.config.history or ()
    ]
    if not rows:
        rows = [{"Comment": "", "Created": seconds(image.created), "CreatedBy": "", "Size": image.size}]
    rows[-1] |= {"Id": image.id, "Tags": list(image.tags) or None}
    return rows[::-1]


def removed(report: Iterable[Untagged | Deleted]) -> list[dict[str, str]]:
    """What a removal did, in its order."""
    return [{"Untagged": one.name} if isinstance(one, Untagged) else {"Deleted": one.id} for one in report]


def seconds(time: str) -> int:
    """An RFC 3339 time as seconds since 1970; Go's zero time for none."""
    try:
        return timestamps.iso(time) // 1_000_000_000
    except InvalidParameter:
        return _GO_ZERO


def _last_comment(image: Image) -> str:
    steps = image.config.history
    return steps[-1].comment if steps else ""


def _graph_driver(directories: Sequence[Path]) -> Json:
    *lowers, upper = [str(directory) for directory in directories] or [""]
    data = {"LowerDir": ":".join(reversed(lowers))} if lowers else {}
    parent = upper.rpartition("/")[0]
    return {
        "Name": "overlay2",
        "Data": {**data, "MergedDir": f"{parent}/merged", "UpperDir": upper, "WorkDir": f"{parent}/work"},
    }
