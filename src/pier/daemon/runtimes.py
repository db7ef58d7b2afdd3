"""The runtimes that `--add-runtime` and daemon.json name, checked with dockerd's rules and texts. Pure.

A containerd shim (`runtimeType`, `options`) is refused by name: Pier calls a runtime by runc's command line.
"""

from collections.abc import Mapping, Sequence

from pier.runtime.foreign import BUILT_IN, STOCK_RUNTIMES, ForeignRuntime
from pier.spec.errors import InvalidParameter, NotSupported

_SHIM = "Pier has no containerd, and calls a runtime by runc's command line"
# Ends what a directive says: no argument of a command line can hold it.
_END = "\0"


def parse(texts: Sequence[str]) -> dict[str, ForeignRuntime]:
    """`NAME=PATH`, several with commas between them, or what `as_flags` makes of a directive.

    Raises InvalidParameter, NotSupported.
    """
    found: dict[str, ForeignRuntime] = {}
    for text in (part for whole in texts for part in ([whole] if _END in whole else whole.split(","))):
        given, *arguments = text.removesuffix(_END).split(_END)
        name, equals, path = given.partition("=")
        if _END not in text:  # a directive's name and path are taken as they are
            name, path = name.strip().lower(), path.strip()
        if not equals or not name or not path:
            raise InvalidParameter(f"invalid runtime argument: {given}")
        if name in found:
            raise InvalidParameter(f"runtime '{name}' was already defined")
        found[name] = _checked(name, path, tuple(arguments))
    return found


def as_flags(value: object) -> list[str]:
    """`{"name": {"path": …, "runtimeArgs": […]}}` as texts for `parse`. Raises InvalidParameter, NotSupported."""
    if not isinstance(value, Mapping):
        raise InvalidParameter("runtimes: an object of runtimes by name is needed")
    entries = {name: _entry(name, entry) for name, entry in value.items()}
    return [_END.join((f"{name}={entry.path}", *entry.arguments, "")) for name, entry in entries.items()]


def _entry(name: str, entry: object) -> ForeignRuntime:
    if not isinstance(entry, Mapping):
        raise InvalidParameter(f'runtime {name}: an object with "path" is needed')
    for key in ("runtimeType", "options"):
        if entry.get(key):
            raise NotSupported(f"runtime {name}: {key} is not supported: {_SHIM}")
    unknown = entry.keys() - {"path", "runtimeArgs", "runtimeType", "options"}
    if unknown:
        raise InvalidParameter(f"runtime {name}: unknown keys: {', '.join(sorted(unknown))}")
    path, arguments = entry.get("path", ""), entry.get("runtimeArgs") or []
    if not isinstance(path, str) or not path:
        raise InvalidParameter(f"runtime {name}: either a runtimeType or a path must be configured")
    if not isinstance(arguments, list) or not all(isinstance(argument, str) for argument in arguments):
        raise InvalidParameter(f"runtime {name}: runtimeArgs must be a list of strings")
    if not name.strip() or "=" in name or _END in "".join((name, path, *arguments)):
        raise InvalidParameter(f"invalid runtime name, path or argument: {name!r}")
    return _checked(name, path, tuple(arguments))


def _checked(name: str, path: str, arguments: tuple[str, ...]) -> ForeignRuntime:
    if name == BUILT_IN:
        raise InvalidParameter(f"runtime name '{BUILT_IN}' is reserved")
    if path.startswith("io.containerd."):
        raise NotSupported(f"runtime {name}: {path} is not supported: {_SHIM}")
    return ForeignRuntime(path, arguments)


def table(configured: Mapping[str, ForeignRuntime]) -> dict[str, ForeignRuntime | None]:
    """All runtimes by name; None is the built-in one."""
    return {**STOCK_RUNTIMES, **configured}


def shown(runtimes: Mapping[str, ForeignRuntime]) -> str:
    """Runtimes as dockerd's `reload` event and log write them: `NAME:PATH`, with spaces between."""
    return " ".join(f"{name}:{runtime.path}" for name, runtime in runtimes.items())


def check_default(name: str, configured: Mapping[str, ForeignRuntime]) -> str:
    """The default runtime's name, which must be one of the table."""
    if name not in table(configured):
        raise InvalidParameter(f"specified default runtime '{name}' does not exist")
    return name
