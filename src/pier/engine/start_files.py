"""The files that a start writes beside a container's root, and the small choices around them. It runs in a thread."""

import os
from collections.abc import Sequence
from pathlib import Path

from pier.engine.endpoints import main_network
from pier.engine.neighbours import Entry
from pier.engine.oci import network_files
from pier.engine.oci.facts import Settings
from pier.engine.parts import Parts
from pier.engine.record import Record
from pier.runtime.launch import LogTarget
from pier.spec.errors import InvalidParameter
from pier.spec.log_options import max_file, max_size


def write_network_files(record: Record, parts: Parts, neighbours: Sequence[Entry] = ()) -> None:
    """Write hosts, hostname and resolv.conf; in place, because a running program may have them open.

    `neighbours` are the others on its network, as (name, address).
    A container that joins another's network shares its files, so nothing is written for it.
    """
    network = main_network(record.host_config.NetworkMode)
    if not network:
        return
    directory = parts.layout.container(record.id)
    config, host_config = record.config, record.host_config
    settings = record.endpoints[network]
    own = [*(host_config.ExtraHosts or ()), *(f"{name}={address}" for name, address in neighbours)]
    hosts = network_files.hosts(
        config.Hostname,
        config.Domainname,
        addresses=[settings.IPAddress] if settings.IPAddress else [],
        extra=own,
        gateway=parts.host_gateway or settings.Gateway,
        host_text=_text("/etc/hosts") if network == "host" else None,
    )
    resolv_conf = network_files.resolv_conf(
        _text("/etc/resolv.conf"),
        servers=host_config.Dns or parts.dns,
        search=host_config.DnsSearch or parts.dns_search,
        options=host_config.DnsOptions or parts.dns_options,
        mode=network if network in ("host", "none") else "bridge",
    )
    for name, text in (
        ("hosts", hosts),
        ("hostname", network_files.hostname(config.Hostname)),
        ("resolv.conf", resolv_conf),
    ):
        _overwrite(directory / name, text.encode())


def _overwrite(path: Path, content: bytes) -> None:
    """Put content in place of what a file has, without a moment in which it is empty."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
    finally:
        os.close(descriptor)


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


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


def log_target(record: Record, directory: Path) -> LogTarget | None:
    """The log that the keeper writes, with the limits of its options."""
    path = log_path(record, directory)
    if not path:
        return None
    options = record.host_config.LogConfig.Config or {}
    return LogTarget(path, max_size(options), max_file(options))
