"""What the kernel holds: mounts, links, cgroups, nftables tables, processes; two moments can be compared."""

import os
import shutil
import subprocess
from dataclasses import dataclass, field, fields
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
MARK = "PIER_TEST_SESSION"


@dataclass(frozen=True)
class Holdings:
    """Names of kernel objects at one moment."""

    mounts: frozenset[str] = field(default_factory=frozenset)
    links: frozenset[str] = field(default_factory=frozenset)
    cgroups: frozenset[str] = field(default_factory=frozenset)
    tables: frozenset[str] = field(default_factory=frozenset)
    processes: frozenset[str] = field(default_factory=frozenset)

    def since(self, before: "Holdings") -> list[str]:
        """Say what is held now and was not `before`, one line each."""
        return [
            f"{kind.name}: {name}"
            for kind in fields(self)
            for name in sorted(getattr(self, kind.name) - getattr(before, kind.name))
        ]


def everything() -> Holdings:
    """Read the whole host: meaningful only where nobody else is at work."""
    return Holdings(mounts(), links(), cgroups(""), tables(), processes_marked(MARK))


def of_instance(instance: str, roots: tuple[str, ...]) -> Holdings:
    """Read what belongs to one daemon: its instance name is in every name it makes, its roots in every path."""
    return Holdings(
        frozenset(line for line in mounts() if any(root in line for root in roots)),
        frozenset(link for link in links() if instance[:6] in link),
        cgroups(instance),
        frozenset(table for table in tables() if instance in table),
        processes_marked(*roots),
    )


def mounts() -> frozenset[str]:
    """Mount points of this namespace with their types and sources."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return frozenset(" ".join((*line.split()[3:5], *line.partition(" - ")[2].split()[:2])) for line in lines)


def links() -> frozenset[str]:
    """Names of the network links of this namespace."""
    return frozenset(os.listdir("/sys/class/net"))


def cgroups(part: str) -> frozenset[str]:
    """Control groups of the first two levels under every hierarchy whose path holds `part` and speaks of Pier."""
    found: set[str] = set()
    for pattern in ("pier*", "pier*/*", "*/pier*", "*/pier*/*"):
        found.update(str(path) for path in CGROUPS.glob(pattern) if path.is_dir() and part in str(path))
    return frozenset(found)


def tables() -> frozenset[str]:
    """Tables of nftables, as `nft list tables` prints them."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        return frozenset()
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False, timeout=20)
    return frozenset(listed.stdout.splitlines())


def processes_marked(*marks: str) -> frozenset[str]:
    """Processes, other than this one and its ancestors, with one of `marks` in their arguments or environment."""
    own = _ancestors()
    wanted = [mark.encode() for mark in marks]
    return frozenset(
        f"{pid} {arguments.replace(bytes(1), b' ').decode(errors='replace')[:120]}"
        for pid, arguments, environment in _processes()
        if pid not in own and any(mark in arguments or mark in environment for mark in wanted)
    )


def _processes() -> list[tuple[int, bytes, bytes]]:
    found: list[tuple[int, bytes, bytes]] = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                arguments = Path("/proc", entry, "cmdline").read_bytes()
                found.append((int(entry), arguments, Path("/proc", entry, "environ").read_bytes()))
            except OSError:
                continue
    return found


def _ancestors() -> set[int]:
    own, pid = set[int](), os.getpid()
    while pid > 1:
        own.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return own
