"""Fields of Docker's that Pier does not implement: set to more than nothing they are refused by name, never ignored;
pure.

Docker itself drops several of these on Linux without a word; the table is the list to shorten.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pier.spec.containers import CreateRequest, HostConfig
from pier.spec.errors import InvalidParameter, NotSupported, PierError


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    reason: str
    nothing: tuple[Any, ...] = (None, "", 0, False)
    error: Callable[[str], PierError] = NotSupported


_FIELDS = (
    _Field("CpuCount", "it exists on Windows only"),
    _Field("CpuPercent", "it exists on Windows only"),
    _Field("StorageOpt", "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"),
    _Field("CgroupParent", "every container's group lies below the daemon's own"),
    _Field("Links", "legacy links have no part in Pier: connect the containers to a network of their own"),
    _Field("Cgroup", "a container's control group is never shared"),
    _Field("Isolation", "", ("", "default")),
    _Field("UsernsMode", "", ("", "host")),
)
_TEXTS = {
    "Isolation": "Invalid isolation: \"{value}\" - linux only supports 'default'",
    "UsernsMode": "invalid userns mode: {value}",
    "StorageOpt": "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
}


def refuse(host_config: HostConfig) -> None:
    """Raise for the first field that is set and not implemented."""
    for field in _FIELDS:
        value = getattr(host_config, field.name)
        if value in field.nothing or value in ([], {}):
            continue
        if field.name in _TEXTS:
            raise InvalidParameter(_TEXTS[field.name].format(value=value))
        raise field.error(f"HostConfig.{field.name} is not supported: {field.reason}")
    _refuse_requests(host_config)


def refuse_config(request: CreateRequest) -> None:
    """Raise for parts of the container's own configuration that are not implemented."""
    if request.ArgsEscaped:
        raise NotSupported("ArgsEscaped is not supported: it exists on Windows only")


def _refuse_requests(host_config: HostConfig) -> None:
    for wanted in host_config.DeviceRequests or ():
        if wanted.Driver == "cdi":
            raise NotSupported(f"CDI device injection is not supported: {', '.join(wanted.DeviceIDs or ())}")
        capabilities = " ".join(f"[{' '.join(each)}]" for each in wanted.Capabilities or ())
        raise InvalidParameter(f'could not select device driver "{wanted.Driver}" with capabilities: [{capabilities}]')
