"""daemon.json: read, checked against the flags, and joined with the command line, with dockerd's rules and texts.

A directive given both on the command line and in the file is an error, so that one place decides.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pier.daemon import arguments, flags, refusals, runtimes, settings
from pier.daemon.arguments import Value
from pier.daemon.flags import Flag, Kind
from pier.daemon.settings import DEFAULT_CONFIG_FILE, Settings
from pier.spec.errors import InvalidParameter, NotSupported, PierError


def load(words: Sequence[str]) -> Settings:
    """The settings of a command line and the configuration file that it names."""
    return joined(arguments.parse(words))


def joined(given: Mapping[str, Value]) -> Settings:
    """The settings of parsed flags and their configuration file."""
    named = given.get("config-file")
    path = Path(str(named)) if named else DEFAULT_CONFIG_FILE
    document = read(path, required=bool(named))
    if document is None:
        return settings.from_values(given)
    values = from_document(document, path)
    _refuse_conflicts(given, values, path)
    return settings.from_values({**values, **given}, group_is_given="group" in values or "group" in given)


def read(path: Path, *, required: bool) -> bytes | None:
    """The file's bytes; None when it does not exist and nobody named it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        if not required:
            return None
        raise _broken(path, f"open {path}: no such file or directory") from None
    except OSError as error:
        raise _broken(path, f"{path}: {(error.strerror or '').lower()}") from None


def from_document(document: bytes, path: Path) -> dict[str, Value]:
    """The values of a daemon.json, by flag name."""
    if not document.strip():
        return {}
    try:
        fields = msgspec.json.decode(document, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError) as error:
        raise _broken(path, str(error)) from None
    unknown = [key for key in fields if key not in flags.BY_DIRECTIVE and key not in refusals.BY_DIRECTIVE]
    if unknown:
        listed = ", ".join(sorted(unknown))
        raise _broken(path, f"the following directives don't match any configuration option: {listed}")
    values: dict[str, Value] = {}
    for key, value in fields.items():
        if key in flags.BY_DIRECTIVE:
            flag = flags.BY_DIRECTIVE[key]
            values[flag.name] = _value(flag, key, value, path)
        else:
            _refuse(key, value, path)
    return values


def _value(flag: Flag, key: str, value: object, path: Path) -> Value:
    """One directive's value, in the form that the command line gives."""
    if flag.kind is Kind.LIST:
        if flag.name == "default-ulimit" and isinstance(value, dict):
            return [_ulimit(name, limits, path) for name, limits in value.items()]
        if flag.name == "add-runtime":
            return _runtimes(value, path)
        if flag.name == "default-address-pool" and isinstance(value, list):
            return [_address_pool(entry, path) for entry in value]
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
    elif flag.kind is Kind.MAP:
        if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            return value
    elif flag.kind is Kind.SIZE and isinstance(value, str):
        try:
            return arguments.size(value)
        except ValueError as error:
            raise _broken(path, f"{key}: {error}") from None
    elif isinstance(value, _PYTHON[flag.kind]) and (flag.kind is Kind.BOOL or not isinstance(value, bool)):
        return value
    raise _broken(path, f"{key}: cannot unmarshal {_json_kind(value)} into a value of type {flag.kind.value}")


_PYTHON: dict[Kind, type[str] | type[bool] | type[int]] = {
    Kind.TEXT: str,
    Kind.BOOL: bool,
    Kind.INTEGER: int,
    Kind.SIZE: int,
}


def _ulimit(name: str, limits: object, path: Path) -> str:
    """`{"Name": "nofile", "Soft": 1, "Hard": 2}` as the flag writes it."""
    if isinstance(limits, dict):
        soft, hard = limits.get("Soft", 0), limits.get("Hard", 0)
        if isinstance(soft, int) and isinstance(hard, int):
            return f"{limits.get('Name') or name}={soft}:{hard}"
    raise _broken(path, f'default-ulimits: {name} needs {{"Name": …, "Soft": …, "Hard": …}}')


def _runtimes(value: object, path: Path) -> list[str]:
    try:
        return runtimes.as_flags(value)
    except PierError as error:
        raise type(error)(_broken(path, error.message).message) from None


def _address_pool(entry: object, path: Path) -> str:
    """`{"base": "10.0.0.0/8", "size": 24}` as the flag writes it."""
    if isinstance(entry, dict) and entry.keys() == {"base", "size"}:
        base, size = entry["base"], entry["size"]
        if isinstance(base, str) and "," not in base and isinstance(size, int) and not isinstance(size, bool):
            return f"base={base},size={size}"
    raise _broken(path, 'default-address-pools: each entry needs {"base": "<subnet>", "size": <bits>}')


def _refuse(key: str, value: object, path: Path) -> None:
    refusal = refusals.BY_DIRECTIVE[key]
    for text in _texts(value):
        message = refusals.refusal_of(key, text, refusal)
        if message:
            raise NotSupported(_broken(path, message).message)


def _texts(value: object) -> list[str]:
    """A JSON value as the texts that flags would give."""
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, dict):
        return [f"{name}={item}" for name, item in value.items()]
    return [str(value)]


def _refuse_conflicts(given: Mapping[str, Value], values: Mapping[str, Value], path: Path) -> None:
    both = [name for name in values if name in given]
    if both:
        listed = ", ".join(
            f"{flags.BY_NAME[name].directive}: (from flag: {_shown(given[name])}, from file: {_shown(values[name])})"
            for name in both
        )
        raise _broken(
            path, f"the following directives are specified both as a flag and in the configuration file: {listed}"
        )


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"[{' '.join(value)}]".replace("\0", "") if isinstance(value, list) else str(value)


def _json_kind(value: object) -> str:
    kinds: dict[type, str] = {bool: "bool", str: "string", list: "array", dict: "object", type(None): "null"}
    return kinds.get(type(value), "number")


def _broken(path: Path, reason: str) -> InvalidParameter:
    return InvalidParameter(f"unable to configure the Docker daemon with file {path}: {reason}")


def reloaded(current: Settings, words: Sequence[str]) -> tuple[Settings, dict[str, str]]:
    """The settings after a SIGHUP: what reloads is taken from the file as it is now; with the values that changed."""
    from dataclasses import replace

    fresh = load(words)
    fields = [_FIELD[flag.name] for flag in flags.FLAGS if flag.reloads]
    changes = {field: getattr(fresh, field) for field in fields if getattr(fresh, field) != getattr(current, field)}
    told = {field: runtimes.shown(value) if field == "runtimes" else str(value) for field, value in changes.items()}
    return replace(current, **changes), told


_FIELD = {
    "add-runtime": "runtimes",
    "debug": "debug",
    "default-runtime": "default_runtime",
    "insecure-registry": "insecure_registries",
    "label": "labels",
    "max-concurrent-downloads": "max_concurrent_downloads",
    "max-concurrent-uploads": "max_concurrent_uploads",
    "max-download-attempts": "max_download_attempts",
    "registry-mirror": "registry_mirrors",
    "shutdown-timeout": "shutdown_timeout",
}
