"""`pier update`: limits and the restart policy of containers that exist."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.create.host import NUMBERS, restart_policy
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
    --blkio-weight uint16        Block IO (relative weight), between 10 and 1000, or 0 to disable (default 0)
    --cpu-period int             Limit CPU CFS (Completely Fair Scheduler) period
    --cpu-quota int              Limit CPU CFS (Completely Fair Scheduler) quota
    --cpu-rt-period int          Limit the CPU real-time period in microseconds
    --cpu-rt-runtime int         Limit the CPU real-time runtime in microseconds
-c, --cpu-shares int             CPU shares (relative weight)
    --cpus decimal               Number of CPUs
    --cpuset-cpus string         CPUs in which to allow execution (0-3, 0,1)
    --cpuset-mems string         MEMs in which to allow execution (0-3, 0,1)
!--kernel-memory bytes           Kernel memory limit (deprecated)
-m, --memory bytes               Memory limit
    --memory-reservation bytes   Memory soft limit
    --memory-swap swap           Swap limit equal to memory plus swap: -1 to enable unlimited swap
    --pids-limit int             Tune container pids limit (set -1 for unlimited)
    --restart string             Restart policy to apply when a container exits
"""
TEXTS = {"cpuset-cpus": "CpusetCpus", "cpuset-mems": "CpusetMems"}


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Change each container in the same way."""
    if not flags.given:
        raise Failure("you must provide one or more flags when using this command")
    body: dict[str, Any] = {key: flags.number(name) for name, key in NUMBERS.items() if flags.changed(name)}
    body |= {key: flags.text(name) for name, key in TEXTS.items() if flags.changed(name)}
    if flags.text("restart"):
        body["RestartPolicy"] = restart_policy(flags.text("restart"))
    warnings: list[str] = []

    def one(name: str) -> None:
        answer = cli.client.post(path(name, "update"), None, body) or {}
        warnings.extend(answer.get("Warnings") or [])

    failed = cli.each(arguments, one)
    if warnings:
        cli.out("\n".join(warnings))
    return failed


DEFINITIONS = {
    "container update": Definition("[OPTIONS] CONTAINER [CONTAINER...]", run, flags=FLAGS, least=1),
}
