"""Docker's checks of limits, with its texts: errors for what cannot be, warnings for what this host discards.

Source: moby `daemon/daemon_unix.go` (verifyPlatformContainerResources). A discarded limit is reset in place, as Docker
does, so that inspect does not show what does not hold.
"""

from pier.engine.oci.cpusets import InvalidList, covers
from pier.runtime.facts import HostFacts
from pier.spec.containers import Resources, RestartPolicy
from pier.spec.errors import InvalidParameter

MINIMUM_MEMORY = 6 << 20
_NOT_SUPPORTED = "Your kernel does not support"
_NOT_MOUNTED = "or the cgroup is not mounted."


def check(resources: Resources, host: HostFacts, *, update: bool = False) -> list[str]:
    """Docker's warnings. InvalidParameter for the first limit that is wrong."""
    warnings: list[str] = []
    _check_memory(resources, host, warnings, update=update)
    _check_oom_and_pids(resources, host, warnings)
    _check_cpu(resources, host, warnings)
    _check_cpuset(resources, host, warnings)
    _check_block_io(resources, host, warnings)
    return warnings


def check_restart_policy(policy: RestartPolicy) -> None:
    """InvalidParameter for a policy that is none, or a retry count where it means nothing."""
    if policy.Name in ("always", "unless-stopped", "no"):
        if policy.MaximumRetryCount:
            negative = " and cannot be negative" if policy.MaximumRetryCount < 0 else ""
            raise InvalidParameter(
                f"invalid restart policy: maximum retry count can only be used with 'on-failure'{negative}"
            )
    elif policy.Name == "on-failure":
        if policy.MaximumRetryCount < 0:
            raise InvalidParameter("invalid restart policy: maximum retry count cannot be negative")
    elif policy.Name:
        raise InvalidParameter(
            f"invalid restart policy: unknown policy '{policy.Name}'; "
            "use one of 'no', 'always', 'on-failure', or 'unless-stopped'"
        )


def _check_memory(resources: Resources, host: HostFacts, warnings: list[str], *, update: bool) -> None:
    if resources.Memory != 0 and resources.Memory < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory limit allowed is 6MB")
    if resources.Memory > 0 and "memory" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} memory limit capabilities {_NOT_MOUNTED} Limitation discarded.")
        resources.Memory, resources.MemorySwap = 0, -1
    if resources.Memory > 0 and resources.MemorySwap != -1 and "memory.swap" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} swap limit capabilities {_NOT_MOUNTED} Memory limited without swap.")
        resources.MemorySwap = -1
    if resources.MemorySwap < -1:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if 0 < resources.MemorySwap < resources.Memory:
        raise InvalidParameter("Minimum memoryswap limit should be larger than memory limit, see usage")
    if resources.Memory == 0 and resources.MemorySwap > 0 and not update:
        raise InvalidParameter("You should always set the Memory limit when using Memoryswap limit, see usage")
    _check_swappiness(resources, host, warnings)
    if resources.MemoryReservation > 0 and "memory.reservation" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} memory soft limit capabilities {_NOT_MOUNTED} Limitation discarded.")
        resources.MemoryReservation = 0
    if resources.MemoryReservation != 0 and resources.MemoryReservation < MINIMUM_MEMORY:
        raise InvalidParameter("Minimum memory reservation allowed is 6MB")
    if 0 < resources.Memory < resources.MemoryReservation:
        raise InvalidParameter("Minimum memory limit can not be less than memory reservation limit, see usage")
    if resources.KernelMemory:
        # dropped from the API in 1.42: the kernel's own limit is gone since 5.4
        warnings.append(f"{_NOT_SUPPORTED} kernel memory limit capabilities {_NOT_MOUNTED} Limitation discarded.")
        resources.KernelMemory = 0


def _check_swappiness(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if resources.MemorySwappiness == -1:  # what old clients send for «not set»
        resources.MemorySwappiness = None
    if resources.MemorySwappiness is None:
        return
    if "memory.swappiness" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} memory swappiness capabilities {_NOT_MOUNTED} Memory swappiness discarded.")
        resources.MemorySwappiness = None
    elif not 0 <= resources.MemorySwappiness <= 100:
        raise InvalidParameter(f"Invalid value: {resources.MemorySwappiness}, valid memory swappiness range is 0-100")


def _check_oom_and_pids(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if resources.OomKillDisable is not None and "memory.oom_control" not in host.controllers:
        if resources.OomKillDisable:
            warnings.append(f"{_NOT_SUPPORTED} OomKillDisable. OomKillDisable discarded.")
        resources.OomKillDisable = None
    if resources.OomKillDisable and resources.Memory == 0:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    if resources.PidsLimit is not None and "pids" not in host.controllers:
        if resources.PidsLimit > 0:
            warnings.append(f"{_NOT_SUPPORTED} PIDs limit capabilities {_NOT_MOUNTED} PIDs limit discarded.")
        resources.PidsLimit = None


def _check_cpu(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if resources.NanoCpus > 0 and resources.CpuPeriod > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if resources.NanoCpus > 0 and resources.CpuQuota > 0:
        raise InvalidParameter("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if resources.NanoCpus > 0 and "cpu.cfs" not in host.controllers:
        raise InvalidParameter(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted"
        )
    if not 0 <= resources.NanoCpus <= host.processors * 1_000_000_000:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {host.processors}.00, as there are only {host.processors} CPUs available"
        )
    if resources.CpuShares < 0:
        raise InvalidParameter(f"invalid CPU shares ({resources.CpuShares}): value must be a positive integer")
    if resources.CpuShares > 0 and "cpu.shares" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} CPU shares {_NOT_MOUNTED} Shares discarded.")
        resources.CpuShares = 0
    _check_bandwidth(resources, host, warnings)
    _check_realtime(resources, host)


def _check_bandwidth(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if (resources.CpuPeriod or resources.CpuQuota) and "cpu.cfs" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} CPU CFS scheduler. CPU period/quota discarded.")
        resources.CpuPeriod = resources.CpuQuota = 0
    if resources.CpuPeriod != 0 and not 1000 <= resources.CpuPeriod <= 1_000_000:
        raise InvalidParameter("CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)")
    if 0 < resources.CpuQuota < 1000:
        raise InvalidParameter("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    # 0.001 processors are the least that a quota can express; Docker leaves this to the kernel's EINVAL
    if 0 < resources.NanoCpus < 10_000_000:
        raise InvalidParameter(
            f"Range of CPUs is from 0.01 to {host.processors}.00, as there are only {host.processors} CPUs available"
        )


def _check_realtime(resources: Resources, host: HostFacts) -> None:
    period, runtime = resources.CpuRealtimePeriod, resources.CpuRealtimeRuntime
    if (period or runtime) and "cpu.realtime" not in host.controllers:
        what = "period" if period else "runtime"
        raise InvalidParameter(f"your kernel does not support CPU real-time {what}")
    if period < 0 or (period and runtime > period):
        raise InvalidParameter("cpu real-time runtime cannot be higher than cpu real-time period")


def _check_cpuset(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if (resources.CpusetCpus or resources.CpusetMems) and "cpuset" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} cpuset {_NOT_MOUNTED} Cpuset discarded.")
        resources.CpusetCpus = resources.CpusetMems = ""
    for asked, available, what, noun in (
        (resources.CpusetCpus, host.cpus, "cpuset cpus", "CPUs"),
        (resources.CpusetMems, host.mems, "cpuset mems", "memory nodes"),
    ):
        try:
            covered = covers(available, asked)
        except InvalidList as error:
            raise InvalidParameter(f"Invalid value {asked[:80]} for {what}: {error}") from None
        if not covered:
            raise InvalidParameter(f"Requested {noun} are not available - requested {asked}, available: {available}")


def _check_block_io(resources: Resources, host: HostFacts, warnings: list[str]) -> None:
    if resources.BlkioWeight and "blkio.weight" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} Block I/O weight {_NOT_MOUNTED} Weight discarded.")
        resources.BlkioWeight = 0
    if resources.BlkioWeight and not 10 <= resources.BlkioWeight <= 1000:
        raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if resources.IOMaximumBandwidth or resources.IOMaximumIOps:
        raise InvalidParameter("Invalid QoS settings: linux does not support Maximum IO Bandwidth or Maximum IO IOps")
    if resources.BlkioWeightDevice and "blkio.weight_device" not in host.controllers:
        warnings.append(f"{_NOT_SUPPORTED} Block I/O weight_device {_NOT_MOUNTED} Weight-device discarded.")
        resources.BlkioWeightDevice = []
    for device in resources.BlkioWeightDevice or ():
        if not 10 <= device.Weight <= 1000:
            raise InvalidParameter("Range of blkio weight is from 10 to 1000")
    if "blkio.throttle" not in host.controllers:
        _discard_throttles(resources, warnings)


def _discard_throttles(resources: Resources, warnings: list[str]) -> None:
    for field, unit, way in (
        ("BlkioDeviceReadBps", "BPS", "read"),
        ("BlkioDeviceWriteBps", "BPS", "write"),
        ("BlkioDeviceReadIOps", "IOPS", "read"),
        ("BlkioDeviceWriteIOps", "IOPS", "write"),
    ):
        if getattr(resources, field):
            warnings.append(
                f"{_NOT_SUPPORTED} {unit} Block I/O {way} limit {_NOT_MOUNTED} Block I/O {unit} {way} limit discarded."
            )
            setattr(resources, field, [])
