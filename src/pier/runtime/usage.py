"""What a container uses, read from its control group and its network namespace; v1, v2 and hybrid hosts."""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from pier.kernel.cgroup import Layout

_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
_MICROSECOND = 1000
_INTERFACE = ("rx_bytes", "rx_packets", "rx_errors", "rx_dropped", "tx_bytes", "tx_packets", "tx_errors", "tx_dropped")
_COLUMNS = (0, 1, 2, 3, 8, 9, 10, 11)


@dataclass(frozen=True, slots=True)
class BlockUse:
    """Bytes or operations of one device."""

    major: int
    minor: int
    operation: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """One look. Times in ns; `memory_limit` is None for none; `memory` and `interfaces` bear the kernel's names."""

    cpu_total: int = 0
    cpu_user: int = 0
    cpu_system: int = 0
    per_cpu: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_time: int = 0
    memory_usage: int = 0
    memory_peak: int | None = None
    memory_limit: int | None = None
    memory_failures: int = 0
    memory: dict[str, int] = field(default_factory=dict)
    processes: int = 0
    processes_limit: int | None = None
    block_bytes: tuple[BlockUse, ...] = ()
    block_operations: tuple[BlockUse, ...] = ()
    interfaces: dict[str, dict[str, int]] = field(default_factory=dict)


def read(layout: Layout, path: str, pid: int) -> Usage:
    """The usage of the group at `path` and of the network of `pid`. What the host does not count is zero."""
    source = _Group(layout, path)
    first = _v1(source) if layout.version == 1 else _v2(source)
    limit = _number(source.text("pids", "pids.max"))
    return Usage(
        **first,  # type: ignore[arg-type]
        processes=_number(source.text("pids", "pids.current")) or 0,
        processes_limit=limit,
        interfaces=interfaces(_read(f"/proc/{pid}/net/dev")) if pid else {},
    )


class _Group:
    def __init__(self, layout: Layout, path: str) -> None:
        self._layout, self._path = layout, path

    def text(self, controller: str, name: str) -> str:
        directory = self._layout.directory(controller, self._path)
        return _read(f"{directory}/{name}") if directory else ""


def _v1(group: _Group) -> dict[str, object]:
    ticks, throttling = pairs(group.text("cpuacct", "cpuacct.stat")), pairs(group.text("cpu", "cpu.stat"))
    limit = _number(group.text("memory", "memory.limit_in_bytes"))
    return {
        "cpu_total": _number(group.text("cpuacct", "cpuacct.usage")) or 0,
        "cpu_user": ticks.get("user", 0) * _TICK,
        "cpu_system": ticks.get("system", 0) * _TICK,
        "per_cpu": tuple(int(word) for word in group.text("cpuacct", "cpuacct.usage_percpu").split()),
        "periods": throttling.get("nr_periods", 0),
        "throttled_periods": throttling.get("nr_throttled", 0),
        "throttled_time": throttling.get("throttled_time", 0),
        "memory_usage": _number(group.text("memory", "memory.usage_in_bytes")) or 0,
        "memory_peak": _number(group.text("memory", "memory.max_usage_in_bytes")) or 0,
        "memory_limit": limit if limit is not None and limit < 1 << 60 else None,
        "memory_failures": _number(group.text("memory", "memory.failcnt")) or 0,
        "memory": pairs(group.text("memory", "memory.stat")),
        "block_bytes": block_v1(group.text("blkio", "blkio.throttle.io_service_bytes_recursive")),
        "block_operations": block_v1(group.text("blkio", "blkio.throttle.io_serviced_recursive")),
    }


def _v2(group: _Group) -> dict[str, object]:
    cpu = pairs(group.text("cpu", "cpu.stat"))
    octets, operations = block_v2(group.text("io", "io.stat"))
    return {
        "cpu_total": cpu.get("usage_usec", 0) * _MICROSECOND,
        "cpu_user": cpu.get("user_usec", 0) * _MICROSECOND,
        "cpu_system": cpu.get("system_usec", 0) * _MICROSECOND,
        "periods": cpu.get("nr_periods", 0),
        "throttled_periods": cpu.get("nr_throttled", 0),
        "throttled_time": cpu.get("throttled_usec", 0) * _MICROSECOND,
        "memory_usage": _number(group.text("memory", "memory.current")) or 0,
        "memory_limit": _number(group.text("memory", "memory.max")),
        "memory_failures": pairs(group.text("memory", "memory.events")).get("max", 0),
        "memory": pairs(group.text("memory", "memory.stat")),
        "block_bytes": octets,
        "block_operations": operations,
    }


def pairs(text: str) -> dict[str, int]:
    """Lines of a name and a number."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdigit():
            found[name] = int(value)
    return found


def block_v1(text: str) -> tuple[BlockUse, ...]:
    """Lines such as `8:0 Read 4096`; the last line, a total, has no device."""
    found: list[BlockUse] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and ":" in words[0]:
            major, _, minor = words[0].partition(":")
            found.append(BlockUse(int(major), int(minor), words[1], int(words[2])))
    return tuple(found)


def block_v2(text: str) -> tuple[tuple[BlockUse, ...], tuple[BlockUse, ...]]:
    """Lines such as `8:0 rbytes=4096 wbytes=0 rios=1 wios=0`: bytes and operations."""
    names = {"rbytes": (0, "read"), "wbytes": (0, "write"), "rios": (1, "read"), "wios": (1, "write")}
    found: tuple[list[BlockUse], list[BlockUse]] = ([], [])
    for line in text.splitlines():
        device, *words = line.split()
        major, _, minor = device.partition(":")
        for name, _, value in (word.partition("=") for word in words):
            if name in names and value.isdigit():
                place, operation = names[name]
                found[place].append(BlockUse(int(major), int(minor), operation, int(value)))
    return tuple(found[0]), tuple(found[1])


def interfaces(text: str) -> dict[str, dict[str, int]]:
    """The counters of /proc/net/dev, without the loopback's."""
    found: dict[str, dict[str, int]] = {}
    for name, _, rest in (line.partition(":") for line in text.splitlines()):
        numbers = rest.split()
        if len(numbers) >= 16 and name.strip() != "lo":
            counters: Iterable[tuple[str, int]] = zip(_INTERFACE, (int(numbers[at]) for at in _COLUMNS), strict=True)
            found[name.strip()] = dict(counters)
    return found


def host_cpu_time() -> int:
    """Nanoseconds that the host's processors have counted in all (idle time too), as Docker's ratios need it."""
    words = _read("/proc/stat").partition("\n")[0].split()[1:8]
    return sum(int(word) for word in words) * _TICK


def _number(text: str) -> int | None:
    word = text.strip()
    return int(word) if word.isdigit() else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
