"""OCI runtime-spec types of devices and limits (`linux.devices`, `linux.resources`).

Source: https://github.com/opencontainers/runtime-spec/blob/main/config-linux.md#control-groups
"""

import msgspec


class _Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of the document."""


class LinuxDevice(_Part):
    """A device node to make: `c`, `b`, `p` or `u`, with its numbers, permission bits and owner."""

    path: str
    type: str
    major: int = msgspec.field(default=0)
    minor: int = msgspec.field(default=0)
    file_mode: int | None = None
    uid: int | None = None
    gid: int | None = None


class DeviceRule(_Part):
    """A rule of the device control group; no number means any."""

    allow: bool
    type: str = ""
    major: int | None = None
    minor: int | None = None
    access: str = ""


class Memory(_Part):
    """Limits in bytes; -1 is no limit. `swap` is memory and swap together."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = msgspec.field(default=None, name="kernelTCP")
    swappiness: int | None = None
    disable_oom_killer: bool | None = msgspec.field(default=None, name="disableOOMKiller")
    use_hierarchy: bool | None = None
    check_before_update: bool | None = None


class Cpu(_Part):
    """Shares, bandwidth in microseconds, and the processors and memory nodes to use."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class Pids(_Part):
    """The highest number of tasks; -1 is no limit."""

    limit: int


class WeightDevice(_Part):
    """A block device's weight."""

    major: int
    minor: int
    weight: int | None = None
    leaf_weight: int | None = None


class ThrottleDevice(_Part):
    """A block device's limit a second."""

    major: int
    minor: int
    rate: int


class BlockIO(_Part):
    """Weights and limits of block devices."""

    weight: int | None = None
    leaf_weight: int | None = None
    weight_device: tuple[WeightDevice, ...] = ()
    throttle_read_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_write_bps_device: tuple[ThrottleDevice, ...] = ()
    throttle_read_iops_device: tuple[ThrottleDevice, ...] = msgspec.field(default=(), name="throttleReadIOPSDevice")
    throttle_write_iops_device: tuple[ThrottleDevice, ...] = msgspec.field(default=(), name="throttleWriteIOPSDevice")


class HugepageLimit(_Part):
    """A limit in bytes on huge pages of one size (`2MB`)."""

    page_size: str
    limit: int


class InterfacePriority(_Part):
    """The net_prio of one interface."""

    name: str
    priority: int


class Network(_Part):
    """Class and priorities of the net_cls and net_prio controllers."""

    class_id: int | None = msgspec.field(default=None, name="classID")
    priorities: tuple[InterfacePriority, ...] = ()


class LinuxResources(_Part):
    """All limits; what is left out keeps the kernel's value. `unified` holds raw cgroup v2 files."""

    devices: tuple[DeviceRule, ...] = ()
    memory: Memory | None = None
    cpu: Cpu | None = None
    pids: Pids | None = None
    block_io: BlockIO | None = msgspec.field(default=None, name="blockIO")
    hugepage_limits: tuple[HugepageLimit, ...] = ()
    network: Network | None = None
    unified: dict[str, str] = msgspec.field(default_factory=dict)
