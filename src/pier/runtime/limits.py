"""Limits of an OCI configuration as writes to control group files, for v1 and v2; pure.

They are read from the configuration's plain JSON (`linux.resources`), because the spawner's processes have nothing but
the standard library; `spec/runtime_resources.py` is the typed form on the engine's side (`msgspec.to_builtins` leads
here). A `Write` is `(controller, ((file, value), …), required)`: the first file that exists takes its value.
"""

from __future__ import annotations

import math

from pier.kernel.cgroup import Layout
from pier.runtime import devices
from pier.spec.errors import InvalidParameter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Json = dict[str, Any]

Write = tuple[str, tuple[tuple[str, str], ...], bool]

_V2_FILES = ("cgroup.", "memory.", "cpu.", "cpuset.", "io.", "pids.", "hugetlb.", "rdma.", "misc.")


def writes(resources: Json | None, layout: Layout) -> tuple[Write, ...]:
    """Every write that puts the limits in force, in an order that a fresh group accepts. Device rules are apart.

    InvalidParameter for what the layout cannot do.
    """
    resources = resources or {}
    plan = _Plan(layout)
    plan.memory(resources.get("memory") or {})
    plan.cpu(resources.get("cpu") or {})
    if pids := resources.get("pids"):
        plan.one("pids", "pids.max", _limit(pids["limit"]))
    plan.block_io(resources.get("blockIO") or {})
    for page in resources.get("hugepageLimits") or ():
        suffix = "max" if layout.unified_has("hugetlb") and "hugetlb" not in layout.v1 else "limit_in_bytes"
        plan.one("hugetlb", f"hugetlb.{page['pageSize']}.{suffix}", str(page["limit"]))
    plan.network(resources.get("network") or {})
    plan.unified(resources.get("unified") or {})
    return tuple(plan.writes)


def device_rules(rules: Sequence[Json]) -> tuple[tuple[bool, str, int, int, str], ...]:
    """OCI device rules as plain tuples for `runtime.devices`. InvalidParameter for an unknown type or letter."""
    plain = []
    for rule in rules:
        kind, access = rule.get("type") or "a", rule.get("access") or ""
        if kind not in ("a", "b", "c") or set(access) - set("rwm"):
            raise InvalidParameter(f"invalid device rule: {kind} {access}")
        plain.append((bool(rule.get("allow")), kind, _any(rule.get("major")), _any(rule.get("minor")), access))
    return tuple(plain)


def device_plan(resources: Json | None, layout: Layout) -> tuple[tuple[Write, ...], bytes]:
    """The device rules of `linux.resources` as v1 writes, or as an eBPF program (the other is empty)."""
    result = devices.allowed(device_rules((resources or {}).get("devices") or ()))
    if "devices" in layout.v1:
        return tuple(("devices", ((file, line),), True) for file, line in devices.v1_lines(result)), b""
    return (), devices.program(result)


def weight_of_shares(shares: int) -> int:
    """v1's cpu.shares (2 to 262144, 1024 is normal) as v2's cpu.weight (1 to 10000, 100 is normal).

    runc's curve through the three points: https://github.com/opencontainers/cgroups (ConvertCPUSharesToCgroupV2Value).
    """
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

    def memory(self, memory: Json) -> None:
        if self._v2:
            self._memory_v2(memory)
            return
        for file, key in (
            ("memory.limit_in_bytes", "limit"),
            ("memory.memsw.limit_in_bytes", "swap"),
            ("memory.soft_limit_in_bytes", "reservation"),
            ("memory.kmem.tcp.limit_in_bytes", "kernelTCP"),
            ("memory.swappiness", "swappiness"),
        ):
            if (value := memory.get(key)) is not None:
                self.one("memory", file, str(value))
        if memory.get("disableOOMKiller"):
            self.one("memory", "memory.oom_control", "1")

    def _memory_v2(self, memory: Json) -> None:
        limit, swap, reservation = memory.get("limit"), memory.get("swap"), memory.get("reservation")
        if swap is not None:
            self.one("memory", "memory.swap.max", _swap_only(limit, swap), required=swap > 0)
        if limit is not None:
            self.one("memory", "memory.max", _limit(limit))
        if reservation is not None:
            self.one("memory", "memory.low", _limit(reservation))
        if memory.get("disableOOMKiller"):
            raise InvalidParameter("the OOM killer cannot be disabled on cgroup v2")

    def cpu(self, cpu: Json) -> None:
        if self._v2:
            self._cpu_v2(cpu)
        else:
            for file, key in (
                ("cpu.shares", "shares"),
                ("cpu.rt_period_us", "realtimePeriod"),
                ("cpu.rt_runtime_us", "realtimeRuntime"),
                ("cpu.cfs_period_us", "period"),
                ("cpu.cfs_quota_us", "quota"),
                ("cpu.cfs_burst_us", "burst"),
                ("cpu.idle", "idle"),
            ):
                if value := cpu.get(key):
                    self.one("cpu", file, str(value))
        if cpus := cpu.get("cpus"):
            self.one("cpuset", "cpuset.cpus", cpus)
        if mems := cpu.get("mems"):
            self.one("cpuset", "cpuset.mems", mems)

    def _cpu_v2(self, cpu: Json) -> None:
        if cpu.get("realtimePeriod") or cpu.get("realtimeRuntime"):
            raise InvalidParameter("realtime scheduling limits do not exist on cgroup v2")
        if shares := cpu.get("shares"):
            self.one("cpu", "cpu.weight", str(weight_of_shares(shares)))
        quota, period = cpu.get("quota") or 0, cpu.get("period") or 0
        if quota or period:
            self.one("cpu", "cpu.max", f"{quota if quota > 0 else 'max'} {period or 100000}")
        if burst := cpu.get("burst"):
            self.one("cpu", "cpu.max.burst", str(burst))
        if idle := cpu.get("idle"):
            self.one("cpu", "cpu.idle", str(idle))

    def block_io(self, block_io: Json) -> None:
        if weight := block_io.get("weight"):
            self._weights("", weight)
        for device in block_io.get("weightDevice") or ():
            if weight := device.get("weight"):
                self._weights(f"{device['major']}:{device['minor']} ", weight)
        for word, kind, key in (
            ("rbps", "read_bps", "throttleReadBpsDevice"),
            ("wbps", "write_bps", "throttleWriteBpsDevice"),
            ("riops", "read_iops", "throttleReadIOPSDevice"),
            ("wiops", "write_iops", "throttleWriteIOPSDevice"),
        ):
            self._throttles(word, kind, block_io.get(key) or ())

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

    def _throttles(self, word: str, kind: str, throttles: Sequence[Json]) -> None:
        for item in throttles:
            device, rate = f"{item['major']}:{item['minor']}", item.get("rate") or 0
            if self._v2:
                self.one("io", "io.max", f"{device} {word}={rate or 'max'}")
            else:
                self.one("blkio", f"blkio.throttle.{kind}_device", f"{device} {rate}")

    def network(self, network: Json) -> None:
        if class_id := network.get("classID"):
            self.one("net_cls", "net_cls.classid", str(class_id))
        for item in network.get("priorities") or ():
            self.one("net_prio", "net_prio.ifpriomap", f"{item['name']} {item['priority']}")

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
