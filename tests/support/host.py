"""What the kernel holds: mounts, links, cgroups, nftables tables, processes; two moments can be compared."""

import glob
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
    ours = processes_marked(MARK) | processes_titled("pier-spawner", "pier-keeper", "pier-creator")
    return Holdings(mounts(), links(), cgroups(""), tables(), ours)


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
        # Unlike Path.glob, this one bears groups that go away meanwhile.
        found.update(path for path in glob.glob(f"{CGROUPS}/{pattern}") if part in path and os.path.isdir(path))
    return frozenset(found)


def tables() -> frozenset[str]:
    """Tables of nftables, as `nft list tables` prints them."""
    if os.geteuid() != 0 or not shutil.which("nft"):
        return frozenset()
    listed = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=False, timeout=20)
    return frozenset(listed.stdout.splitlines())


def processes_marked(*marks: str) -> frozenset[str]:
    """Processes with one of `marks` in their arguments, environment, directory or output, and all that came from them.

    A keeper's title and environment do not name the daemon, but it stands in a directory under its root; the spawner
    writes to the daemon's log; a pair that waits is a child of the spawner.
    """
    known = {process.pid: process for process in _processes()}
    wanted = [mark.encode() for mark in marks]
    found = {pid for pid, process in known.items() if any(mark in process.words for mark in wanted)}
    while more := {pid for pid, process in known.items() if process.parent in found} - found:
        found |= more
    return frozenset(f"{pid} {known[pid].title}" for pid in found - _ancestors())


def processes_titled(*titles: str) -> frozenset[str]:
    """Processes whose arguments begin with one of `titles`."""
    return frozenset(f"{process.pid} {process.title}" for process in _processes() if process.title.startswith(titles))


@dataclass(frozen=True)
class _Process:
    pid: int
    parent: int
    title: str
    words: bytes


def _processes() -> list[_Process]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                found.append(_read(Path("/proc", entry)))
            except OSError:
                continue
    return found


def _read(directory: Path) -> _Process:
    state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
    arguments = (directory / "cmdline").read_bytes()
    places = [os.readlink(directory / name) for name in ("cwd", "fd/1", "fd/2") if (directory / name).is_symlink()]
    words = b"\0".join((arguments, (directory / "environ").read_bytes(), *map(os.fsencode, places)))
    title = arguments.replace(b"\0", b" ").decode(errors="replace")[:120]
    if state == "Z":
        raise ProcessLookupError("a zombie is its parent's to fetch")
    return _Process(int(directory.name), int(parent), title, words)


def _ancestors() -> set[int]:
    own, pid = set[int](), os.getpid()
    while pid > 1:
        own.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return own
