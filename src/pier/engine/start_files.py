"""The files that a start writes beside a container's root, and the small choices around them. Plain: it runs in a thread."""

import os
from pathlib import Path

from pier.engine.oci.facts import Settings
from pier.engine.parts import Parts
from pier.engine.record import Record
from pier.spec.errors import InvalidParameter

_UNLIMITED = -1


def write_network_files(record: Record, parts: Parts) -> None:
    """Write hosts, hostname and resolv.conf; in place, because a running program may have them open."""
    raise NotImplementedError


def make_bind_sources(record: Record) -> None:
    """Make the directories that `-v` names and the host lacks; refuse those that `--mount` names and the host lacks."""
    for mounted in record.mounts:
        point = mounted.point
        if point.Type != "bind" or os.path.lexists(point.Source):
            continue
        if not mounted.makes_source:
            raise InvalidParameter(
                f'invalid mount config for type "bind": bind source path does not exist: {point.Source}'
            )
        os.makedirs(point.Source, exist_ok=True)


def wants_init(record: Record, settings: Settings) -> bool:
    """Whether the container has an init of the engine's as its first process."""
    return settings.init if record.host_config.Init is None else record.host_config.Init


def log_path(record: Record, directory: Path) -> str:
    """Where the output is kept; empty when it is not."""
    return "" if record.host_config.LogConfig.Type == "none" else str(directory / f"{record.id}-json.log")
