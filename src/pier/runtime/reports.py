"""The commands that tell: state, list, ps, events, features, and the document that `spec` writes; in runc's form."""

import argparse
import json
import pwd
import re
import select
import subprocess
from pathlib import Path

from pier.kernel import cgroup, process
from pier.kernel.capabilities import NAMES
from pier.kernel.cgroup import Layout
from pier.runtime import bundle as bundles
from pier.runtime import usage
from pier.runtime.containers import Container, Store
from pier.runtime.namespace_plan import FLAGS
from pier.runtime.options import WORDS
from pier.runtime.sync import Message
from pier.spec.errors import Conflict, InvalidParameter
from pier.spec.oci_version import OCI_VERSION

Arguments = argparse.Namespace
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_COLUMNS = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")
_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_OOM_LOOK = 0.1  # seconds between two looks for out-of-memory kills


def state(arguments: Arguments) -> int:
    """Print a container's state."""
    print(json.dumps(Store(arguments.root).find(arguments.id).state(), indent=2), end="")
    return 0


def list_(arguments: Arguments) -> int:
    """List the containers."""
    _check_format(arguments.format)
    containers = Store(arguments.root).all()
    states = [{**container.state(), "owner": _owner(container)} for container in containers]
    if arguments.quiet:
        for container in containers:
            print(container.id)
    elif arguments.format == "json":
        print(json.dumps(states or None, separators=(",", ":")))
    else:
        print(_table([_COLUMNS, *(tuple(str(each[name.lower()]) for name in _COLUMNS) for each in states)]))
    return 0


def _check_format(text: str) -> None:
    if text not in ("table", "json"):
        raise InvalidParameter("invalid format option")


def _owner(container: Container) -> str:
    try:
        return pwd.getpwuid(Path(container.directory).stat().st_uid).pw_name
    except (KeyError, OSError):
        return ""


def _table(rows: list[tuple[str, ...]]) -> str:
    """Columns as Go's tabwriter sets them: at least 12 wide, 3 apart."""
    widths = [max(12, *(len(row[column]) + 3 for row in rows)) for column in range(len(rows[0]) - 1)]
    return "\n".join("".join(cell.ljust(width) for cell, width in zip(row, [*widths, 0], strict=True)) for row in rows)


def ps(arguments: Arguments) -> int:
    """List the processes of a container; options of ps(1) may follow, -ef are the usual ones."""
    _check_format(arguments.format)
    container = Store(arguments.root).find(arguments.id)
    pids = container.group().processes() if container.group().exists() else []
    if arguments.format == "json":
        print(json.dumps(pids or None, separators=(",", ":")))
        return 0
    done = subprocess.run(["ps", *(arguments.rest or ["-ef"])], check=False, capture_output=True, text=True)
    if done.returncode:
        raise InvalidParameter(f"exit status {done.returncode}: {done.stdout}{done.stderr}")
    print(_own_lines(done.stdout, pids))
    return 0


def _own_lines(text: str, pids: list[int]) -> str:
    """The heading and the lines of the given processes. Raises InvalidParameter."""
    heading, *lines = text.splitlines()
    if "PID" not in heading.split():
        raise InvalidParameter("couldn't find PID field in ps output")
    at = heading.split().index("PID")
    return "\n".join([heading, *(line for line in lines if int(line.split()[at]) in pids)])


def events(arguments: Arguments) -> int:
    """Print a container's figures, once or until it ends, and its out-of-memory kills."""
    interval = duration(arguments.interval)
    if interval <= 0:
        raise InvalidParameter("duration interval must be greater than 0")
    container = Store(arguments.root).find(arguments.id)
    if container.status() == "stopped":
        raise Conflict(f"container with id {container.id} is not running")
    if arguments.stats:
        _tell(container, "stats", stats(cgroup.detect(), container.cgroup))
        return 0
    _watch(container, interval)
    return 0


def _watch(container: Container, interval: float) -> None:
    """Look every `interval` seconds until the end."""
    poll = select.poll()
    poll.register(process.pidfd_open(container.pid), select.POLLIN)
    kills, waited = container.group().oom_count(), 0.0
    while not poll.poll(min(interval, _OOM_LOOK) * 1000):
        waited += min(interval, _OOM_LOOK)
        now = container.group().oom_count()
        for _ in range(now - kills):
            _tell(container, "oom", None)
        kills = now
        if waited >= interval:
            waited = 0.0
            _tell(container, "stats", stats(cgroup.detect(), container.cgroup))


def _tell(container: Container, kind: str, data: Message | None) -> None:
    event = {"type": kind, "id": container.id, **({"data": data} if data is not None else {})}
    print(json.dumps(event, separators=(",", ":")), flush=True)


def duration(text: str) -> float:
    """Go's durations, such as 1m30s or 100ms, in seconds. Raises InvalidParameter."""
    if not re.fullmatch(r"-?(\d+(\.\d+)?(h|m|s|ms|us|ns))+", text):
        raise InvalidParameter(f'invalid value "{text}" for flag -interval: parse error')
    total = sum(float(number) * _UNITS[unit] for number, _, unit in re.findall(r"(\d+(\.\d+)?)(ms|us|ns|h|m|s)", text))
    return -total if text.startswith("-") else total


def stats(layout: Layout, path: str) -> Message:
    """The figures of a control group in runc's form."""
    now = usage.read(layout, path, 0)
    throttling = {
        "periods": now.periods,
        "throttledPeriods": now.throttled_periods,
        "throttledTime": now.throttled_time,
    }
    memory = {
        "limit": now.memory_limit,
        "usage": now.memory_usage,
        "max": now.memory_peak,
        "failcnt": now.memory_failures,
    }
    blocks = {"ioServiceBytesRecursive": now.block_bytes, "ioServicedRecursive": now.block_operations}
    return {
        "cpu": {
            "usage": {
                "total": now.cpu_total,
                **({"percpu": list(now.per_cpu)} if now.per_cpu else {}),
                "kernel": now.cpu_system,
                "user": now.cpu_user,
            },
            "throttling": {name: value for name, value in throttling.items() if value},
        },
        "memory": {
            "usage": {name: value for name, value in memory.items() if value is not None},
            **({"cache": now.memory["cache"]} if now.memory.get("cache") else {}),
            "raw": now.memory,
        },
        "pids": {"current": now.processes, **({"limit": now.processes_limit} if now.processes_limit else {})},
        "blkio": {
            name: [{"major": use.major, "minor": use.minor, "op": use.operation, "value": use.value} for use in uses]
            for name, uses in blocks.items()
            if uses
        },
        "hugetlb": {},
        "intel_rdt": {},
        "network_interfaces": None,
    }


def spec(arguments: Arguments) -> int:
    """Write a config.json to begin with."""
    path = arguments.bundle / "config.json"
    if path.exists():
        raise Conflict("File config.json exists. Remove it first")
    path.write_text(json.dumps(bundles.default_spec(), indent="\t"))
    return 0


def features(_arguments: Arguments) -> int:
    """Print what the runtime can do, in the specification's words."""
    layout = cgroup.detect()
    answer = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": list(HOOKS),
        "mountOptions": sorted(WORDS),
        "linux": {
            "namespaces": sorted(FLAGS),
            "capabilities": list(NAMES),
            "cgroup": {"v1": bool(layout.v1), "v2": bool(layout.unified), "systemd": False, "systemdUser": False},
            "seccomp": {"enabled": True},
            "apparmor": {"enabled": True},
            "selinux": {"enabled": False},
            "intelRdt": {"enabled": False},
        },
    }
    print(json.dumps(answer, indent=4))
    return 0
