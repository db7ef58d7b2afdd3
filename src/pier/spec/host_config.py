"""Wire types of HostConfig: what a container gets from this host, as Docker's API 1.50 names it.

Every field of Docker's is here, so that none can be ignored unseen; `engine/oci/unsupported.py` refuses by name the
few that Pier does not implement. `None` where Docker has a nil pointer or a nil list.
"""

from typing import TypeAlias

import msgspec

from pier.spec.go_types import Int, Int64, StrSlice, Uint, Uint16, Uint64
from pier.spec.mounts import Mount


class WeightDevice(msgspec.Struct):
    """A block device's relative weight, 10 to 1000."""

    Path: str = ""
    Weight: Uint16 = 0


class ThrottleDevice(msgspec.Struct):
    """A block device's limit, in bytes or operations a second."""

    Path: str = ""
    Rate: Uint64 = 0


class DeviceMapping(msgspec.Struct):
    """A host device shown in the container; permissions are letters of `rwm`."""

    PathOnHost: str = ""
    PathInContainer: str = ""
    CgroupPermissions: str = ""


class DeviceRequest(msgspec.Struct):
    """A request to a device driver (GPUs, CDI)."""

    Driver: str = ""
    Count: Int = 0
    DeviceIDs: list[str] | None = None
    Capabilities: list[list[str]] | None = None
    Options: dict[str, str] | None = None


class Ulimit(msgspec.Struct):
    """One resource limit, by Docker's lower-case name (`nofile`)."""

    Name: str = ""
    Hard: Int64 = 0
    Soft: Int64 = 0


class RestartPolicy(msgspec.Struct):
    """When the engine starts the container again: `no`, `always`, `unless-stopped`, `on-failure`."""

    Name: str = ""
    MaximumRetryCount: Int = 0


class LogConfig(msgspec.Struct):
    """The log driver and its options."""

    Type: str = ""
    Config: dict[str, str] | None = None


class PortBinding(msgspec.Struct):
    """A host address and port (or range) to which a container's port is published."""

    HostIp: str = ""
    HostPort: str = ""


# a field that is called as its type hides the type inside the class body
_RestartPolicy: TypeAlias = RestartPolicy
_LogConfig: TypeAlias = LogConfig


class Resources(msgspec.Struct):
    """Limits: those of the control group, devices and ulimits."""

    CpuShares: Int64 = 0
    Memory: Int64 = 0
    NanoCpus: Int64 = 0
    CgroupParent: str = ""
    BlkioWeight: Uint16 = 0
    BlkioWeightDevice: list[WeightDevice] | None = None
    BlkioDeviceReadBps: list[ThrottleDevice] | None = None
    BlkioDeviceWriteBps: list[ThrottleDevice] | None = None
    BlkioDeviceReadIOps: list[ThrottleDevice] | None = None
    BlkioDeviceWriteIOps: list[ThrottleDevice] | None = None
    CpuPeriod: Int64 = 0
    CpuQuota: Int64 = 0
    CpuRealtimePeriod: Int64 = 0
    CpuRealtimeRuntime: Int64 = 0
    CpusetCpus: str = ""
    CpusetMems: str = ""
    Devices: list[DeviceMapping] | None = None
    DeviceCgroupRules: list[str] | None = None
    DeviceRequests: list[DeviceRequest] | None = None
    KernelMemory: Int64 = 0
    KernelMemoryTCP: Int64 = 0
    MemoryReservation: Int64 = 0
    MemorySwap: Int64 = 0
    MemorySwappiness: Int64 | None = None
    OomKillDisable: bool | None = None
    PidsLimit: Int64 | None = None
    Ulimits: list[Ulimit] | None = None
    CpuCount: Int64 = 0
    CpuPercent: Int64 = 0
    IOMaximumIOps: Uint64 = 0
    IOMaximumBandwidth: Uint64 = 0


class UpdateConfig(Resources):
    """The body of `POST /containers/{name}/update`."""

    RestartPolicy: _RestartPolicy = msgspec.field(default_factory=_RestartPolicy)


class HostConfig(Resources):
    """What depends on the host: mounts, networks, namespaces, privileges, and the limits of `Resources`."""

    Binds: list[str] | None = None
    ContainerIDFile: str = ""
    LogConfig: _LogConfig = msgspec.field(default_factory=_LogConfig)
    NetworkMode: str = ""
    PortBindings: dict[str, list[PortBinding] | None] | None = None
    RestartPolicy: _RestartPolicy = msgspec.field(default_factory=_RestartPolicy)
    AutoRemove: bool = False
    VolumeDriver: str = ""
    VolumesFrom: list[str] | None = None
    ConsoleSize: list[Uint] = msgspec.field(default_factory=lambda: [0, 0])
    Annotations: dict[str, str] | None = None
    CapAdd: StrSlice = None
    CapDrop: StrSlice = None
    CgroupnsMode: str = ""
    Dns: list[str] | None = None
    DnsOptions: list[str] | None = None
    DnsSearch: list[str] | None = None
    ExtraHosts: list[str] | None = None
    GroupAdd: list[str] | None = None
    IpcMode: str = ""
    Cgroup: str = ""
    Links: list[str] | None = None
    OomScoreAdj: Int = 0
    PidMode: str = ""
    Privileged: bool = False
    PublishAllPorts: bool = False
    ReadonlyRootfs: bool = False
    SecurityOpt: list[str] | None = None
    StorageOpt: dict[str, str] | None = None
    Tmpfs: dict[str, str] | None = None
    UTSMode: str = ""
    UsernsMode: str = ""
    ShmSize: Int64 = 0
    Sysctls: dict[str, str] | None = None
    Runtime: str = ""
    Isolation: str = ""
    Mounts: list[Mount] | None = None
    MaskedPaths: list[str] | None = None
    ReadonlyPaths: list[str] | None = None
    Init: bool | None = None
