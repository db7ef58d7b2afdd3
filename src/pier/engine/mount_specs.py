"""What `-v`, `--mount`, `--volumes-from` and an image's volumes ask for, parsed as Docker parses it; pure."""

import posixpath
import re
from dataclasses import dataclass

from pier.spec.containers import Mount
from pier.spec.errors import InvalidParameter

_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
_PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_CONSISTENCY = frozenset({"default", "consistent", "cached", "delegated"})
_LABELS = frozenset({"z", "Z"})


@dataclass(frozen=True)
class Asked:
    """One mount asked for. `type` is bind, volume or tmpfs; a volume without a name is anonymous."""

    type: str
    destination: str
    source: str = ""
    name: str = ""
    driver: str = ""
    mode: str = ""
    writable: bool = True
    propagation: str = ""
    copies: bool = False
    makes_source: bool = False
    request: Mount | None = None


def parse_bind(text: str, driver: str = "") -> Asked:
    """One `-v` of the form source:destination[:mode], where the source is a path or a volume's name."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or not parts[0] or not parts[1] or "\0" in text:
        raise _invalid_specification(text)
    source, destination = parts[0], _destination(parts[1], text)
    mode = parts[2] if len(parts) == 3 else ""
    words = _mode_words(mode, of_volume=not source.startswith("/"))
    writable = "ro" not in words
    if source.startswith("/"):
        propagation = next((word for word in words if word in _PROPAGATION), "")
        source = posixpath.normpath(source).replace("//", "/")
        return Asked(
            "bind", destination, source, mode=mode, writable=writable, propagation=propagation, makes_source=True
        )
    check_volume_name(source)
    copies = "nocopy" not in words
    return Asked("volume", destination, name=source, driver=driver, mode=mode or "z", writable=writable, copies=copies)


def parse_mount(mount: Mount) -> Asked:
    """One `--mount`. That its kind, options and source fit together is checked with the request."""
    destination = _destination(mount.Target, mount.Target)
    writable = not mount.ReadOnly
    if mount.Type == "bind":
        propagation = mount.BindOptions.Propagation if mount.BindOptions else ""
        makes = mount.BindOptions is not None and mount.BindOptions.CreateMountpoint
        source = posixpath.normpath(mount.Source)
        return Asked(
            "bind", destination, source, writable=writable, propagation=propagation, makes_source=makes, request=mount
        )
    if mount.Type == "volume":
        if mount.Source:
            check_volume_name(mount.Source)
        options = mount.VolumeOptions
        driver = options.DriverConfig.Name if options and options.DriverConfig else ""
        copies = not (options and (options.NoCopy or options.Subpath))
        return Asked(
            "volume",
            destination,
            name=mount.Source,
            driver=driver,
            mode="z",
            writable=writable,
            copies=copies,
            request=mount,
        )
    return Asked(mount.Type, destination, writable=writable, request=mount)


def parse_volumes_from(text: str) -> tuple[str, str]:
    """One `--volumes-from`: the container and the mode (rw where none is given)."""
    container, colon, mode = text.partition(":")
    if not container:
        raise InvalidParameter("volumes-from must not be empty")
    if colon:
        words = mode.split(",")
        if not all(word in ("ro", "rw", "z", "Z") for word in words):
            raise InvalidParameter(f"invalid mode: {mode}")
        return container, mode
    return container, "rw"


def parse_image_volume(path: str) -> Asked:
    """A path of `Config.Volumes`: an anonymous volume, filled with what the image has there."""
    return Asked("volume", _destination(path, path), copies=True)


def check_volume_name(name: str) -> None:
    """`InvalidParameter` in Docker's words when it cannot be a volume's name."""
    if _VOLUME_NAME.fullmatch(name) is None:
        raise InvalidParameter(
            f'create {name}: "{name}" includes invalid characters for a local volume name, '
            'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path'
        )


def _destination(path: str, specification: str) -> str:
    if not path.startswith("/") or "\0" in path:
        raise InvalidParameter(
            f"invalid volume specification: '{specification}': "
            f"invalid mount config for type \"volume\": invalid mount path: '{path}' mount path must be absolute"
        )
    cleaned = posixpath.normpath("/" + path.lstrip("/"))
    if cleaned == "/":
        kind = "bind" if specification.startswith("/") and ":" in specification else "volume"
        raise InvalidParameter(
            f"invalid volume specification: '{specification}': "
            f"invalid mount config for type \"{kind}\": invalid specification: destination can't be '/'"
        )
    return cleaned


def _mode_words(mode: str, *, of_volume: bool) -> tuple[str, ...]:
    words = tuple(mode.split(",")) if mode else ()
    groups = (frozenset({"ro", "rw"}), _LABELS, _CONSISTENCY, frozenset({"nocopy"}) if of_volume else _PROPAGATION)
    for group in groups:
        if sum(word in group for word in words) > 1:
            raise InvalidParameter(f"invalid mode: {mode}")
    if any(not any(word in group for group in groups) for word in words):
        raise InvalidParameter(f"invalid mode: {mode}")
    return words


def _invalid_specification(text: str) -> InvalidParameter:
    return InvalidParameter(f"invalid volume specification: '{text}'")
