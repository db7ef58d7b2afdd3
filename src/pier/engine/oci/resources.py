"""Docker's limits as OCI resources, and Docker's `update` of them; pure.

Source: moby `daemon/daemon_unix.go` (getMemoryResources and its neighbours) and `container/container_unix.go`
(UpdateContainer).
"""

from collections.abc import Mapping

import msgspec

from pier.engine.oci import limits
from pier.runtime.facts import HostFacts
from pier.spec.containers import HostConfig, Resources, UpdateConfig
from pier.spec.errors import Conflict, InvalidParameter
from pier.spec.runtime_resources import (
    BlockIO,
    Cpu,
    DeviceRule,
    LinuxResources,
    Memory,
    Pids,
    ThrottleDevice,
    WeightDevice,
)

_NANO_PERIOD = 100_000
BlockDevices = Mapping[str, tuple[int, int]]

# the fields that `docker update` can change
_UPDATABLE = (
    "BlkioWeight",
    "CpuShares",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "NanoCpus",
    "CpusetCpus",
    "CpusetMems",
    "Memory",
    "MemorySwap",
    "MemoryReservation",
    "PidsLimit",
)


def linux_resources(
    resources: Resources, block_devices: BlockDevices | None = None, devices: tuple[DeviceRule, ...] = ()
) -> LinuxResources:
    """The OCI form; `block_devices` gives the numbers of the paths in Blkio… fields."""
    return LinuxResources(
        devices=devices,
        memory=_memory(resources),
        cpu=_cpu(resources),
        pids=_pids(resources),
        block_io=_block_io(resources, block_devices or {}),
    )


def updated(host_config: HostConfig, update: UpdateConfig, host: HostFacts) -> tuple[HostConfig, list[str]]:
    """The HostConfig after `docker update`, with warnings. Zero values change nothing, as in Docker.

    Conflict or InvalidParameter, in Docker's words, for combinations that cannot be.
    """
    refuse_fixed(update)
    warnings = limits.check(update, host, update=True)
    _check_cpu_conflicts(host_config, update)
    changes = {name: getattr(update, name) for name in _UPDATABLE if getattr(update, name) not in (0, "", None)}
    if update.PidsLimit is not None:
        changes["PidsLimit"] = update.PidsLimit
    merged = msgspec.structs.replace(host_config, **changes)
    if update.Memory and not update.MemorySwap and 0 < host_config.MemorySwap < update.Memory:
        raise Conflict(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        )
    if update.RestartPolicy.Name:
        if host_config.AutoRemove and update.RestartPolicy.Name != "no":
            raise Conflict("Restart policy cannot be updated because AutoRemove is enabled for the container")
        limits.check_restart_policy(update.RestartPolicy)
        merged.RestartPolicy = update.RestartPolicy
    return merged, warnings


def refuse_fixed(update: UpdateConfig) -> None:
    """Refuse by name what an update cannot change; Docker drops these without a word."""
    fixed = [
        name
        for name in Resources.__struct_fields__
        if name not in _UPDATABLE and name != "KernelMemory" and getattr(update, name) not in (0, "", None, [], False)
    ]
    if fixed:
        raise InvalidParameter(f"{fixed[0]} of a container cannot be updated")


def _check_cpu_conflicts(host_config: HostConfig, update: UpdateConfig) -> None:
    if update.NanoCpus > 0 and host_config.CpuPeriod > 0:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Period has already been set")
    if update.NanoCpus > 0 and host_config.CpuQuota > 0:
        raise Conflict("Conflicting options: Nano CPUs cannot be updated as CPU Quota has already been set")
    if update.CpuQuota > 0 and host_config.NanoCpus > 0:
        raise Conflict("Conflicting options: CPU Quota cannot be updated as NanoCPUs has already been set")
    if update.CpuPeriod > 0 and host_config.NanoCpus > 0:
        raise Conflict("Conflicting options: CPU Period cannot be updated as NanoCPUs has already been set")


def _memory(resources: Resources) -> Memory:
    swap = resources.MemorySwap if resources.MemorySwap > 0 else None
    if resources.MemorySwap < 0 and resources.Memory > 0:
        swap = -1
    return Memory(
        limit=resources.Memory if resources.Memory > 0 else None,
        reservation=resources.MemoryReservation if resources.MemoryReservation > 0 else None,
        swap=swap,
        kernel_tcp=resources.KernelMemoryTCP or None,
        swappiness=resources.MemorySwappiness,
        disable_oom_killer=resources.OomKillDisable,
    )


def _cpu(resources: Resources) -> Cpu:
    quota, period = resources.CpuQuota or None, resources.CpuPeriod or None
    if resources.NanoCpus > 0:
        period = _NANO_PERIOD
        quota = resources.NanoCpus * period // 1_000_000_000
    return Cpu(
        shares=resources.CpuShares or None,
        quota=quota,
        period=period,
        realtime_runtime=resources.CpuRealtimeRuntime or None,
        realtime_period=resources.CpuRealtimePeriod or None,
        cpus=resources.CpusetCpus,
        mems=resources.CpusetMems,
    )


def _pids(resources: Resources) -> Pids | None:
    if resources.PidsLimit is None:
        return None
    return Pids(limit=resources.PidsLimit if resources.PidsLimit > 0 else -1)


def _block_io(resources: Resources, numbers: BlockDevices) -> BlockIO | None:
    weights = tuple(
        WeightDevice(major=numbers[item.Path][0], minor=numbers[item.Path][1], weight=item.Weight)
        for item in resources.BlkioWeightDevice or ()
    )
    throttles = [
        tuple(
            ThrottleDevice(major=numbers[item.Path][0], minor=numbers[item.Path][1], rate=item.Rate)
            for item in items or ()
        )
        for items in (
            resources.BlkioDeviceReadBps,
            resources.BlkioDeviceWriteBps,
            resources.BlkioDeviceReadIOps,
            resources.BlkioDeviceWriteIOps,
        )
    ]
    if not (resources.BlkioWeight or weights or any(throttles)):
        return None
    return BlockIO(
        weight=resources.BlkioWeight or None,
        weight_device=weights,
        throttle_read_bps_device=throttles[0],
        throttle_write_bps_device=throttles[1],
        throttle_read_iops_device=throttles[2],
        throttle_write_iops_device=throttles[3],
    )
