"""The command that changes a container's limits: flags or a document → writes to its control group."""

import argparse
import json
import re
import sys

from pier.kernel import cgroup
from pier.runtime import bundle, limits
from pier.runtime.containers import Store
from pier.runtime.sync import Message
from pier.spec.errors import InvalidParameter

Arguments = argparse.Namespace
# The flags of `update`, and where their numbers go in OCI's resources.
LIMITS = {
    "blkio-weight": ("blockIO", "weight"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-share": ("cpu", "shares"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
    "cpuset-cpus": ("cpu", "cpus"),
    "cpuset-mems": ("cpu", "mems"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}


def update(arguments: Arguments) -> int:
    """Change the limits of a container."""
    container = Store(arguments.root).find(arguments.id)
    container.group().update(limits.writes(_resources(arguments), cgroup.detect()))
    return 0


def _resources(arguments: Arguments) -> Message:
    """OCI's resources from the file, standard input or the flags."""
    if arguments.resources:
        text = sys.stdin.read() if str(arguments.resources) == "-" else arguments.resources.read_text()
        document: Message = bundle.without_nulls(json.loads(text))
        bundle.check_types(document, "LinuxResources", "resources")
        return document
    found: Message = {}
    for flag, (part, name) in LIMITS.items():
        if value := getattr(arguments, flag.replace("-", "_")):
            found.setdefault(part, {})[name] = value if name in ("cpus", "mems") else limit(flag, value)
    return found


def limit(flag: str, text: str) -> int:
    """A number of a flag; bytes may end in a unit (64M). Raises InvalidParameter."""
    match = re.fullmatch(r"(-?\d+)([bkmgtBKMGT]?)[bB]?", text)
    if not match or (match[2] and not flag.startswith("memory")):
        size = f"invalid size: '{text}'" if flag.startswith("memory") else f"invalid number: '{text}'"
        raise InvalidParameter(f"invalid value for {flag}: {size}")
    return int(match[1]) << 10 * "bkmgt".find(match[2].lower() or "b")
