"""Whether suites leave the host as they found it: each folder alone, where nobody else can be blamed.

    python -m tests.support.leaks tests/engine tests/cli …

*Theory of operation.* The suites run in namespaces of their own (mounts, network, processes) with a /tmp and a /run of
their own and a control group tree of their own, so that whatever is there afterwards and was not before is theirs,
however busy the host. The program starts itself three times: outside it makes the control groups, then it enters them
and the namespaces, inside it runs one pytest per folder and compares.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
# What pytest and the fixtures keep on purpose, between runs too, and what the peer leaves.
KEPT = (
    "/tmp/pytest-of-",
    "/tmp/pier-tests-subnets",
    "/run/xtables.lock",
    "/run/mount",
    "/run/docker",
    "/run/containerd",
)
PEER = "docker"


def outside(folders: Sequence[str]) -> int:
    """Make control groups and directories, run the next stage, and take them away again."""
    groups = [directory / f"leaks-{os.getpid()}" for directory in hierarchies()]
    temporary = tempfile.mkdtemp(prefix="pier-leaks-", dir="/var/tmp")
    for group in groups:
        group.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (group / name).exists():
                (group / name).write_text((group.parent / name).read_text())
    try:
        return subprocess.run([*this("enter"), str(os.getpid()), temporary, *folders], check=False).returncode
    finally:
        for group in groups:
            for directory in sorted(map(str, directories(group)), reverse=True):
                os.rmdir(directory)
            group.rmdir()
        shutil.rmtree(temporary)


def enter(owner: str, temporary: str, folders: Sequence[str]) -> None:
    """Move into the control groups, then into namespaces, under an init that reaps whom others leave."""
    for directory in hierarchies():
        (directory / f"leaks-{owner}" / "cgroup.procs").write_text(str(os.getpid()))
    command = ["unshare", "--mount", "--net", "--pid", "--ipc", "--cgroup", "--fork", "--mount-proc", "--kill-child"]
    init = [shutil.which("tini") or "tini", "-s", "--"]
    os.execvp(command[0], [*command, *init, *this("inside"), owner, temporary, *folders])


def inside(owner: str, temporary: str, folders: Sequence[str]) -> int:
    """Put the private places in the host's places, then run every folder."""
    arrange(owner, temporary)
    return max([check(folder) for folder in folders], default=0)


def arrange(owner: str, temporary: str) -> None:
    """A /tmp on the same disk, an empty /run, /sys of this network, control groups whose root is ours."""
    names = [directory.name for directory in hierarchies()]
    staging = Path(temporary, "cgroup")
    do("mount", "--make-rprivate", "/")
    do("ip", "link", "set", "lo", "up")
    do("ip", "address", "add", "192.0.2.77/32", "dev", "lo")  # a host has an address that others know
    for name in names:
        (staging / name).mkdir(parents=True)
        do("mount", "--bind", str(CGROUPS / name / f"leaks-{owner}"), str(staging / name))
    do("mount", "-t", "sysfs", "sysfs", "/sys")
    do("mount", "-t", "tmpfs", "tmpfs", str(CGROUPS))
    for name in names:
        (CGROUPS / name).mkdir()
        do("mount", "--bind", str(staging / name), str(CGROUPS / name))
        do("umount", str(staging / name))
    private = Path(temporary, "tmp")
    private.mkdir()
    private.chmod(0o1777)
    do("mount", "--bind", str(private), "/tmp")
    do("mount", "-t", "tmpfs", "tmpfs", "/run")


def check(folder: str) -> int:
    """Run one folder's suite and say what it left; 0 when it passed and left nothing."""
    before = holdings()
    options = ["-q", "-p", "no:cacheprovider", "--durations=12", "--color=no", "-m", "not vm"]
    done = subprocess.run([sys.executable, "-m", "pytest", *options, folder], check=False, env=environment())
    left = sorted(holdings() - before)
    print(f"== {folder}: pytest {done.returncode}, left {len(left)}", *left, sep="\n   ", flush=True)
    return int(bool(done.returncode or left))


def environment() -> dict[str, str]:
    """The caller's, without places that are hidden here."""
    return {name: value for name, value in os.environ.items() if name not in ("TMPDIR", "XDG_RUNTIME_DIR")}


def holdings() -> set[str]:
    """Everything that can be left behind, one line each."""
    found = {f"process: {line}" for line in processes()}
    found |= {f"link: {name}" for name in os.listdir("/sys/class/net")}
    found |= {f"cgroup: {directory}" for directory in directories(CGROUPS) if directory.name != PEER}
    found |= {f"table: {line}" for line in told("nft", "list", "tables")}
    found |= {f"rule: {line}" for line in told("ip", "rule")} | {f"route: {line}" for line in told("ip", "route")}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        found.add(f"mount: {line.split()[4]}")
    for place in ("/tmp", "/run"):
        for directory, names, files in os.walk(place):
            paths = [f"{directory}/{name}" for name in (*names, *files)]
            found |= {f"file: {path}" for path in paths if not path.startswith(KEPT)}
    return found


def processes() -> Iterator[str]:
    """Every living process of this namespace but those of this program."""
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) not in (1, os.getpid()):
            try:
                arguments = Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue
            if arguments:
                yield f"{entry} {arguments.replace(bytes(1), b' ').decode(errors='replace')[:120]}"


def hierarchies() -> list[Path]:
    """Where the hierarchies of cgroup v1 and of the hybrid layout are mounted."""
    return sorted(path for path in CGROUPS.iterdir() if (path / "cgroup.procs").exists() and path.is_mount())


def directories(group: Path) -> Iterator[Path]:
    """Every control group below one."""
    for directory, names, _ in os.walk(group):
        yield from (Path(directory, name) for name in names)


def told(*command: str) -> list[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()


def do(*command: str) -> None:
    subprocess.run(command, check=True)


def this(stage: str) -> list[str]:
    return [sys.executable, "-m", "tests.support.leaks", f"--{stage}"]


def main(arguments: list[str]) -> int:
    stage = arguments[0] if arguments else ""
    if stage == "--enter":
        enter(arguments[1], arguments[2], arguments[3:])
    if stage == "--inside":
        return inside(arguments[1], arguments[2], arguments[3:])
    return outside(arguments or sorted({str(path.parent) for path in Path("tests").glob("*/test_*.py")}))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
