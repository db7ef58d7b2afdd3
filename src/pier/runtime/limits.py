"""Limits of an OCI configuration as writes to control group files, for v1 and v2; pure.

A `Write` is `(controller, ((file, value), …), required)`: the first file that exists takes its value. It is a plain tuple,
so that a plan can be handed to a process that has nothing but the standard library.
"""

import math

from pier.kernel.cgroup import Layout
from pier.runtime import devices
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_resources import BlockIO, Cpu, DeviceRule, LinuxResources, Memory, ThrottleDevice

Write = tuple[str, tuple[tuple[str, str], ...], bool]

_V2_FILES = ("cgroup.", "memory.", "cpu.", "cpuset.", "io.", "pids.", "hugetlb.", "rdma.", "misc.")


def writes(resources: LinuxResources | None, layout: Layout) -> tuple[Write, ...]:
    """Every write that puts the limits in force, in an order that a fresh group accepts. Device rules are apart."""
    if resources is None:
        return ()
    plan = _Plan(layout)
    if resources.memory:
        plan.memory(resources.memory)
    if resources.cpu:
        plan.cpu(resources.cpu)
    if resources.pids:
        plan.one("pids", "pids.max", _limit(resources.pids.limit))
    if resources.block_io:
        plan.block_io(resources.block_io)
    for page in resources.hugepage_limits:
        suffix = "max" if layout.unified_has("hugetlb") and "hugetlb" not in layout.v1 else "limit_in_bytes"
        plan.one("hugetlb", f"hugetlb.{page.page_size}.{suffix}", str(page.limit))
    if resources.network:
        plan.network(resources.network.class_id, {item.name: item.priority for item in resources.network.priorities})
    plan.unified(resources.unified)
    return tuple(plan.writes)


def device_rules(rules: tuple[DeviceRule, ...]) -> tuple[tuple[bool, str, int, int, str], ...]:
    """OCI device rules as plain tuples for `runtime.devices`. InvalidParameter for an unknown type or letter."""
    plain = []
    for rule in rules:
        kind = rule.type or "a"
        if kind not in ("a", "b", "c") or set(rule.access) - set("rwm"):
            raise InvalidParameter(f"invalid device rule: {kind} {rule.access}")
        anything = kind == "a" or (rule.major is None and rule.minor is None and not rule.type)
        plain.append((rule.allow, "a" if anything else kind, _any(rule.major), _any(rule.minor), rule.access))
    return tuple(plain)


def device_plan(rules: tuple[DeviceRule, ...], layout: Layout) -> tuple[tuple[Write, ...], bytes]:
    """The device rules as v1 writes, or as an eBPF program (the other is empty)."""
    result = devices.allowed(device_rules(rules))
    if "devices" in layout.v1:
        return tuple(("devices", ((file, line),), True) for file, line in devices.v1_lines(result)), b""
    return (), devices.program(result)


def weight_of_shares(shares: int) -> int:
    """v1's cpu.shares (2 to 262144, 1024 is normal) as v2's cpu.weight (1 to 10000, 100 is normal): runc's curve through
    the three points, https://github.com/opencontainers/cgroups (ConvertCPUSharesToCgroupV2Value)."""
    if shares <= 2:
        return 1
    if shares >= 262144:
        return 10000
    exponent = math.log2(shares)
    return math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612.0 - 7.0 / 34.0))


def _any(number: int | None) -> int:
    return -1 if number is None else number


def _limit(value: int) -> str:
    return str(value) if value > 0 else "max"


class _Plan:
    """Collects writes for one layout."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._v2 = layout.version == 2
        self.writes: list[Write] = []

    def one(self, controller: str, file: str, value: str, *, required: bool = True) -> None:
        self.writes.append((controller, ((file, value),), required))

    def memory(self, memory: Memory) -> None:
        if self._v2:
            self._memory_v2(memory)
            return
        for file, value in (
            ("memory.limit_in_bytes", memory.limit),
            ("memory.memsw.limit_in_bytes", memory.swap),
            ("memory.soft_limit_in_bytes", memory.reservation),
            ("memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp),
            ("memory.swappiness", memory.swappiness),
        ):
            if value is not None:
                self.one("memory", file, str(value))
        if memory.disable_oom_killer:
            self.one("memory", "memory.oom_control", "1")

    def _memory_v2(self, memory: Memory) -> None:
        if memory.swap is not None:
            self.one("memory", "memory.swap.max", _swap_only(memory.limit, memory.swap), required=memory.swap > 0)
        if memory.limit is not None:
            self.one("memory", "memory.max", _limit(memory.limit))
        if memory.reservation is not None:
            self.one("memory", "memory.low", _limit(memory.reservation))
        if memory.disable_oom_killer:
            raise InvalidParameter("the OOM killer cannot be disabled on cgroup v2")

    def cpu(self, cpu: Cpu) -> None:
        if self._v2:
            self._cpu_v2(cpu)
        else:
            for file, value in (
                ("cpu.shares", cpu.shares or None),
                ("cpu.rt_period_us", cpu.realtime_period),
                ("cpu.rt_runtime_us", cpu.realtime_runtime),
                ("cpu.cfs_period_us", cpu.period or None),
                ("cpu.cfs_quota_us", cpu.quota or None),
                ("cpu.cfs_burst_us", cpu.burst),
                ("cpu.idle", cpu.idle),
            ):
                if value is not None:
                    self.one("cpu", file, str(value))
        if cpu.cpus:
            self.one("cpuset", "cpuset.cpus", cpu.cpus)
        if cpu.mems:
            self.one("cpuset", "cpuset.mems", cpu.mems)

    def _cpu_v2(self, cpu: Cpu) -> None:
        if cpu.realtime_period or cpu.realtime_runtime:
            raise InvalidParameter("realtime scheduling limits do not exist on cgroup v2")
        if cpu.shares:
            self.one("cpu", "cpu.weight", str(weight_of_shares(cpu.shares)))
        if cpu.quota or cpu.period:
            quota = str(cpu.quota) if cpu.quota and cpu.quota > 0 else "max"
            self.one("cpu", "cpu.max", f"{quota} {cpu.period or 100000}")
        if cpu.burst is not None:
            self.one("cpu", "cpu.max.burst", str(cpu.burst))
        if cpu.idle is not None:
            self.one("cpu", "cpu.idle", str(cpu.idle))

    def block_io(self, block_io: BlockIO) -> None:
        if block_io.weight:
            self._weights("", block_io.weight)
        for device in block_io.weight_device:
            if device.weight:
                self._weights(f"{device.major}:{device.minor} ", device.weight)
        for word, kind, throttles in (
            ("rbps", "read_bps", block_io.throttle_read_bps_device),
            ("wbps", "write_bps", block_io.throttle_write_bps_device),
            ("riops", "read_iops", block_io.throttle_read_iops_device),
            ("wiops", "write_iops", block_io.throttle_write_iops_device),
        ):
            self._throttles(word, kind, throttles)

    def _weights(self, device: str, weight: int) -> None:
        suffix = "_device" if device else ""
        if self._v2:
            scaled = 1 + (weight - 10) * 9999 // 990
            files = (("io.bfq.weight", f"{device}{weight}"), ("io.weight", f"{device}{scaled}"))
            self.writes.append(("io", files, True))
        else:
            value = f"{device}{weight}"
            files = ((f"blkio.weight{suffix}", value), (f"blkio.bfq.weight{suffix}", value))
            self.writes.append(("blkio", files, True))

    def _throttles(self, word: str, kind: str, throttles: tuple[ThrottleDevice, ...]) -> None:
        for item in throttles:
            device = f"{item.major}:{item.minor}"
            if self._v2:
                self.one("io", "io.max", f"{device} {word}={item.rate or 'max'}")
            else:
                self.one("blkio", f"blkio.throttle.{kind}_device", f"{device} {item.rate}")

    def network(self, class_id: int | None, priorities: dict[str, int]) -> None:
        if class_id is not None:
            self.one("net_cls", "net_cls.classid", str(class_id))
        for name, priority in priorities.items():
            self.one("net_prio", "net_prio.ifpriomap", f"{name} {priority}")

    def unified(self, files: dict[str, str]) -> None:
        for file, value in files.items():
            if "/" in file or not file.startswith(_V2_FILES):
                raise InvalidParameter(f"invalid unified resource: {file}")
            if not self._v2:
                raise InvalidParameter(f"unified resource {file} needs cgroup v2")
            self.one(file.partition(".")[0], file, value)


def _swap_only(limit: int | None, swap: int) -> str:
    """v2 counts swap alone; Docker's figure is memory and swap together."""
    if swap < 0:
        return "max"
    if not limit or limit < 0 or swap < limit:
        raise InvalidParameter("the memory and swap limit cannot be below the memory limit")
    return str(swap - limit)
