"""Wire types of containers and execs, with the names of Docker's API 1.50: attributes are the JSON names themselves.

Decode a client's body with `spec.go_json.decode`, which takes what Go's decoder takes (null anywhere, any case of a
key) and words its errors as Docker does; print with `spec.go_json.to_builtins`, which leaves out what Docker leaves
out.
"""

from typing import Any, ClassVar, TypeAlias

import msgspec

from pier.spec.endpoints import EndpointIPAMConfig, EndpointSettings, NetworkingConfig
from pier.spec.go_types import Duration, Int, StrSlice, Uint
from pier.spec.host_config import (
    DeviceMapping,
    DeviceRequest,
    HostConfig,
    LogConfig,
    PortBinding,
    Resources,
    RestartPolicy,
    ThrottleDevice,
    Ulimit,
    UpdateConfig,
    WeightDevice,
)
from pier.spec.mounts import BindOptions, Mount, MountPoint, TmpfsOptions, VolumeOptions

__all__ = [
    "BindOptions",
    "ContainerConfig",
    "CreateRequest",
    "CreateResponse",
    "DeviceMapping",
    "DeviceRequest",
    "EndpointIPAMConfig",
    "EndpointSettings",
    "ExecConfig",
    "ExecStart",
    "HealthConfig",
    "HostConfig",
    "LogConfig",
    "Mount",
    "MountPoint",
    "NetworkingConfig",
    "PortBinding",
    "Resources",
    "RestartPolicy",
    "ThrottleDevice",
    "TmpfsOptions",
    "Ulimit",
    "UpdateConfig",
    "VolumeOptions",
    "WeightDevice",
]


class HealthConfig(msgspec.Struct, omit_defaults=True):
    """A health check; durations in nanoseconds, zero inherits from the image."""

    Test: list[str] | None = None
    Interval: Duration = 0
    Timeout: Duration = 0
    StartPeriod: Duration = 0
    StartInterval: Duration = 0
    Retries: Int = 0


class ContainerConfig(msgspec.Struct):
    """What is portable about a container: the program, its environment and its user."""

    GO_NAME: ClassVar[str] = "container.Config"

    Hostname: str = ""
    Domainname: str = ""
    User: str = ""
    AttachStdin: bool = False
    AttachStdout: bool = False
    AttachStderr: bool = False
    ExposedPorts: dict[str, dict[str, Any] | None] | None = None
    Tty: bool = False
    OpenStdin: bool = False
    StdinOnce: bool = False
    Env: list[str] | None = None
    Cmd: StrSlice = None
    Healthcheck: HealthConfig | None = None
    ArgsEscaped: bool = False
    Image: str = ""
    Volumes: dict[str, dict[str, Any] | None] | None = None
    WorkingDir: str = ""
    Entrypoint: StrSlice = None
    NetworkDisabled: bool = False
    MacAddress: str = ""
    OnBuild: list[str] | None = None
    Labels: dict[str, str] | None = None
    StopSignal: str = ""
    StopTimeout: Int | None = None
    Shell: StrSlice = None


# a field that is called as its type hides the type inside the class body
_HostConfig: TypeAlias = HostConfig
_NetworkingConfig: TypeAlias = NetworkingConfig


class CreateRequest(ContainerConfig):
    """The body of `POST /containers/create`: a ContainerConfig with the host's and the networks' parts beside it."""

    GO_NAME: ClassVar[str] = "container.CreateRequest"

    HostConfig: _HostConfig | None = None
    NetworkingConfig: _NetworkingConfig | None = None

    def config(self) -> ContainerConfig:
        """The portable part alone."""
        return ContainerConfig(**{name: getattr(self, name) for name in ContainerConfig.__struct_fields__})


class CreateResponse(msgspec.Struct):
    """The answer to a create."""

    Id: str
    Warnings: list[str] = msgspec.field(default_factory=list)


class ExecConfig(msgspec.Struct):
    """The body of `POST /containers/{name}/exec`."""

    User: str = ""
    Privileged: bool = False
    Tty: bool = False
    ConsoleSize: list[Uint] | None = None
    AttachStdin: bool = False
    AttachStderr: bool = False
    AttachStdout: bool = False
    Detach: bool = False
    DetachKeys: str = ""
    Env: list[str] | None = None
    WorkingDir: str = ""
    Cmd: list[str] | None = None


class ExecStart(msgspec.Struct):
    """The body of `POST /exec/{id}/start`."""

    Detach: bool = False
    Tty: bool = False
    ConsoleSize: list[Uint] | None = None
