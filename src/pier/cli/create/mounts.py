"""`--mount`, `-v` and `--tmpfs`: from their syntaxes to mounts, binds and volumes of the create body.

Relative sources (`./data`) are made absolute against the current directory; nothing else touches the host.
"""

from __future__ import annotations

import os

from pier.cli import values
from pier.cli.failure import Failure
from pier.cli.output import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALIASES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
BARE = ("readonly", "volume-nocopy", "bind-nonrecursive")
RECURSION = ("enabled", "disabled", "writable", "readonly")
TEXTS = {"type": "Type", "source": "Source", "target": "Target", "consistency": "Consistency"}


def absolute(path: str) -> str:
    """`.` and `./x` against the current directory; other paths and names as they are."""
    return os.path.abspath(path) if path == "." or path.startswith("./") else path


def parse_mount(raw: str) -> dict[str, Any]:
    """One `--mount`; ValueError in Docker's words."""
    if not raw:
        raise ValueError("EOF")
    mount: dict[str, Any] = {"Type": "volume"}
    options: dict[str, dict[str, Any]] = {}
    for field in values.split_csv(raw):
        key, mark, value = field.partition("=")
        key = ALIASES.get(key.strip().lower(), key.strip().lower())
        if not mark:
            if key not in BARE:
                raise ValueError(f"invalid field '{field}' must be a key=value pair")
            value = "true"
        if key in TEXTS:
            value = value.lower() if key == "type" else value
            mount[TEXTS[key]] = absolute(value) if key == "source" else value
        elif key == "readonly":
            mount["ReadOnly"] = _bool(field.partition("=")[0], value)
        else:
            _option(options, key, value, field)
    return _checked(mount, options)


def _bool(key: str, value: str) -> bool:
    if value in values.TRUE:
        return True
    if value in values.FALSE:
        return False
    raise ValueError(f"invalid value for {key}: {value}")


def _option(options: dict[str, dict[str, Any]], key: str, value: str, field: str) -> None:
    kind = key.partition("-")[0]
    chosen = options.setdefault(kind, {}) if kind in ("bind", "volume", "tmpfs", "image") else {}
    if key == "bind-propagation":
        chosen["Propagation"] = value.lower()
    elif key == "bind-nonrecursive":
        chosen["NonRecursive"] = _bool(key, value)
    elif key == "bind-recursive":
        _recursion(chosen, value)
    elif key == "volume-subpath" or key == "image-subpath":
        chosen["Subpath"] = value
    elif key == "volume-nocopy":
        chosen["NoCopy"] = _bool(key, value)
    elif key == "volume-label":
        name, _, text = value.partition("=")
        chosen.setdefault("Labels", {})[name] = text
    elif key == "volume-driver":
        chosen.setdefault("DriverConfig", {})["Name"] = value
    elif key == "volume-opt":
        name, _, text = value.partition("=")
        chosen.setdefault("DriverConfig", {}).setdefault("Options", {})[name] = text
    elif key == "tmpfs-size":
        chosen["SizeBytes"] = _size(key, value)
    elif key == "tmpfs-mode":
        chosen["Mode"] = _mode(key, value)
    else:
        raise ValueError(f"unexpected key '{key}' in '{field}'")


def _recursion(chosen: dict[str, Any], value: str) -> None:
    if value not in RECURSION:
        if value in values.TRUE or value in values.FALSE:
            chosen["NonRecursive"] = value in values.FALSE
            return
        raise ValueError(
            f'invalid value for bind-recursive: {value} (must be "enabled", "disabled", "writable", or "readonly")'
        )
    key = {"disabled": "NonRecursive", "writable": "ReadOnlyNonRecursive", "readonly": "ReadOnlyForceRecursive"}
    if value in key:
        chosen[key[value]] = True


def _size(key: str, value: str) -> int:
    try:
        return units.ram_in_bytes(value)
    except ValueError:
        raise ValueError(f"invalid value for {key}: {value}") from None


def _mode(key: str, value: str) -> int:
    if not value or value.strip("01234567"):
        raise ValueError(f"invalid value for {key}: {value}")
    return int(value, 8)


def _checked(mount: dict[str, Any], options: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind = mount["Type"]
    if not mount.get("Target"):
        raise ValueError("target is required")
    for name in ("volume", "bind", "tmpfs", "image"):
        if name in options and kind != name and (kind != "npipe" or name != "bind"):
            raise ValueError(f"cannot mix '{name}-*' options with mount type '{kind}'")
    bind = options.get("bind", {})
    if bind.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise ValueError("option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction")
    if bind.get("ReadOnlyForceRecursive"):
        if not mount.get("ReadOnly"):
            raise ValueError("option 'bind-recursive=readonly' requires 'readonly' to be specified in conjunction")
        if bind.get("Propagation") != "rprivate":
            raise ValueError(
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' to be specified in conjunction"
            )
    keys = {"bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions", "image": "ImageOptions"}
    return mount | {keys[name]: chosen for name, chosen in options.items()}


def parse_volumes(given: list[str]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """`-v`: binds of the host configuration, and anonymous volumes."""
    binds: list[str] = []
    volumes: dict[str, dict[str, str]] = {}
    for spec in given:
        if not spec:
            raise Failure("invalid empty volume spec")
        source, mark, rest = spec.partition(":")
        if not mark:
            volumes[spec] = {}
            continue
        bind = f"{absolute(source)}:{rest}"
        if bind not in binds:
            binds.append(bind)
    return binds, volumes


def parse_tmpfs(given: list[str]) -> dict[str, str]:
    """`--tmpfs path[:options]`."""
    return {path: options for path, _, options in (item.partition(":") for item in given)}
