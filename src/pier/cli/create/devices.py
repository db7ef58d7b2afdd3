"""`--device`, and the block devices' weights and rates. Pure but for a trailing `*`, which lists the host's devices."""

from __future__ import annotations

import os

from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _is_mode(text: str) -> bool:
    return bool(text) and not text.strip("rwm") and len(set(text)) == len(text)


def is_cdi(text: str) -> bool:
    """`vendor.com/class=name`, a device of the Container Device Interface."""
    kind, mark, name = text.partition("=")
    vendor, slash, class_ = kind.partition("/")
    return bool(mark and slash and vendor and class_ and name) and not text.startswith("/")


def parse(given: list[str]) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Device mappings and device requests."""
    mappings: list[dict[str, str]] = []
    requests = [spec for spec in given if is_cdi(spec)]
    for spec in given:
        if spec not in requests:
            mappings += _mapping(spec)
    return mappings, [{"Driver": "cdi", "DeviceIDs": requests}] if requests else []


def _mapping(spec: str) -> list[dict[str, str]]:
    parts = spec.split(":")
    if len(parts) > 3 or not parts[0]:
        raise Failure(f"bad format for path: {spec}")
    host, container, mode = parts[0], "", "rwm"
    if len(parts) == 2 and _is_mode(parts[1]):
        mode = parts[1]
    elif len(parts) > 1:
        container = parts[1]
    if len(parts) == 3:
        if not _is_mode(parts[2]):
            raise Failure(f"bad mode specified: {parts[2]}")
        mode = parts[2]
    if not (container or host).startswith("/"):
        raise Failure(f"{container or host} is not an absolute path")
    if host.endswith("*"):
        if container:
            raise Failure(f"device with * suffix can't have dst: {spec}")
        return [_entry(path, path, mode) for path in _matching(host[:-1])]
    return [_entry(host, os.path.normpath(container or host), mode)]


def _entry(host: str, container: str, mode: str) -> dict[str, str]:
    return {"PathOnHost": host, "PathInContainer": container, "CgroupPermissions": mode}


def _matching(prefix: str) -> list[str]:
    directory, _, start = prefix.rpartition("/")
    try:
        names = os.listdir(directory or "/")
    except OSError:
        return []
    return [f"{directory}/{name}" for name in sorted(names) if name.startswith(start)]


def rates(given: list[str], key: str) -> list[dict[str, Any]]:
    """`path:number` as the API's objects."""
    pairs = (item.rpartition(":") for item in given)
    return [{"Path": path, key: int(number)} for path, _, number in pairs]
