"""What this host can do, read once when the daemon starts: processors, memory, control groups, capabilities, kernel.

`HostFacts` is a value: whoever decides takes it as an argument, so that decisions can be tested for hosts we do not
have.
"""

import os
import platform
import resource
from dataclasses import dataclass, field
from pathlib import Path

from pier.kernel import cgroup
from pier.kernel.capabilities import NAMES, bounding_set
from pier.runtime import apparmor

CAPABILITIES = NAMES  # every capability by name, in the kernel's order
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "riscv64": "riscv64", "s390x": "s390x", "ppc64le": "ppc64le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The host. `controllers` are the control group features by name (`memory.swap`, `cpu.cfs`, `blkio.weight`, …)."""

    architecture: str = "amd64"
    kernel: tuple[int, int] = (6, 1)
    processors: int = 1
    possible_processors: int = 1
    memory: int = 0
    cgroup_version: int = 1
    controllers: frozenset[str] = field(default_factory=frozenset)
    cpus: str = "0"
    mems: str = "0"
    capabilities: frozenset[str] = frozenset(NAMES)
    sysctls: frozenset[str] = frozenset()
    hard_limits: dict[str, int] = field(default_factory=dict)  # by Docker's names (`nofile`); -1 is no limit
    apparmor: bool = False
    selinux: bool = False
    cgroup_namespaces: bool = True
    time_namespaces: bool = True
    ipv4_forwarding: bool = True


def read() -> HostFacts:
    """Look at the host."""
    layout = cgroup.detect()
    return HostFacts(
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        kernel=_kernel(platform.release()),
        processors=os.cpu_count() or 1,
        possible_processors=_last(_text("/sys/devices/system/cpu/possible")) + 1,
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        cgroup_version=layout.version,
        controllers=cgroup.features(layout),
        cpus=_cpuset(layout, "cpus") or _text("/sys/devices/system/cpu/online") or "0",
        mems=_cpuset(layout, "mems") or _text("/sys/devices/system/node/online") or "0",
        capabilities=bounding_set(),
        sysctls=frozenset(name for name in _OWN_SYSCTLS if Path("/proc/sys", *name.split(".")).exists()),
        hard_limits={name.removeprefix("RLIMIT_").lower(): resource.getrlimit(number)[1] for name, number in _LIMITS},
        apparmor=apparmor.ensure_default_profile(),
        selinux=Path("/sys/fs/selinux/enforce").exists(),
        cgroup_namespaces=Path("/proc/self/ns/cgroup").exists(),
        time_namespaces=Path("/proc/self/ns/time").exists(),
        ipv4_forwarding=_text("/proc/sys/net/ipv4/ip_forward") != "0",
    )


_OWN_SYSCTLS = ("net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start")


_LIMITS = tuple((name, getattr(resource, name)) for name in dir(resource) if name.startswith("RLIMIT_"))


def _cpuset(layout: cgroup.Layout, what: str) -> str:
    """The processors or memory nodes that control groups may use."""
    directory = layout.directory("cpuset", "/")
    name = f"cpuset.{what}.effective" if layout.unified_has("cpuset") else f"cpuset.{what}"
    return _text(f"{directory}/{name}") if directory else ""


def _kernel(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    minor = "".join(digit for digit in rest.partition(".")[0] if digit.isdigit())
    return int(major), int(minor or 0)


def _last(ranges: str) -> int:
    number = ranges.replace(",", "-").rpartition("-")[2]
    return int(number) if number.isdigit() else 0


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
