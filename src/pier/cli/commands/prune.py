"""The `prune` commands: what nothing uses is removed, after a question."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.output import filters, units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FORCE = "-f, --force           Do not prompt for confirmation\n"
UNTIL = '    --filter filter   Provide filter values (e.g. "until=<timestamp>")\n' + FORCE
LABEL = '    --filter filter   Provide filter values (e.g. "label=<label>")\n' + FORCE
IMAGE_FLAGS = "-a, --all             Remove all unused images, not just dangling ones\n" + UNTIL
VOLUME_FLAGS = "-a, --all             Remove all unused volumes, not just anonymous ones\n" + LABEL
SYSTEM_FLAGS = f"""
-a, --all             Remove all unused images not just dangling ones
    --filter filter   Provide filter values (e.g. "label=<key>=<value>")
{FORCE}
    --volumes         Prune anonymous volumes
"""
QUESTION = "Are you sure you want to continue? [y/N] "
UNUSED = "without at least one container associated to them"


def agreed(flags: Parsed, warning: str) -> bool:
    """True when the user says yes, or said --force."""
    if flags.on("force"):
        return True
    sys.stdout.write(f"{warning}\n{QUESTION}")
    sys.stdout.flush()
    answer = sys.stdin.readline()
    return answer.strip().lower() == "y"


def containers(cli: Cli, _flags: Parsed, given: list[str]) -> tuple[int, str]:
    """Remove stopped containers."""
    answer = cli.client.post("/containers/prune", filters.encode(given)) or {}
    return answer.get("SpaceReclaimed") or 0, _listed("Deleted Containers:", answer.get("ContainersDeleted"))


def networks(cli: Cli, _flags: Parsed, given: list[str]) -> tuple[int, str]:
    """Remove networks without endpoints."""
    answer = cli.client.post("/networks/prune", filters.encode(given)) or {}
    return 0, _listed("Deleted Networks:", answer.get("NetworksDeleted"))


def volumes(cli: Cli, flags: Parsed, given: list[str]) -> tuple[int, str]:
    """Remove volumes that no container uses: anonymous ones, or all."""
    everything = ["all=true"] if flags.on("all") and "volumes" not in flags.flags else []
    answer = cli.client.post("/volumes/prune", filters.encode([*given, *everything])) or {}
    return answer.get("SpaceReclaimed") or 0, _listed("Deleted Volumes:", answer.get("VolumesDeleted"))


def images(cli: Cli, flags: Parsed, given: list[str]) -> tuple[int, str]:
    """Remove images without names, or all that no container uses."""
    dangling = "false" if flags.on("all") else "true"
    answer = cli.client.post("/images/prune", filters.encode([*given, f"dangling={dangling}"])) or {}
    lines = [
        f"untagged: {one['Untagged']}" if one.get("Untagged") else f"deleted: {one['Deleted']}"
        for one in answer.get("ImagesDeleted") or []
    ]
    kept = [f"{one} (see `pier image unlock`)" for one in (answer.get("Pier") or {}).get("Locked", ())]
    text = _listed("Deleted Images:", lines) + _listed("Kept locked images:", kept)
    return answer.get("SpaceReclaimed") or 0, text


def _listed(title: str, names: list[str] | None) -> str:
    return "\n".join([title, *names]) + "\n" if names else ""


def _show(cli: Cli, space: int, text: str, *, total: bool = True) -> None:
    if text:
        cli.out(text)
    if total:
        cli.out(f"Total reclaimed space: {units.human_size(space)}")


def prune_containers(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """`container prune`."""
    if agreed(flags, "WARNING! This will remove all stopped containers."):
        _show(cli, *containers(cli, flags, flags.many("filter")))


def prune_images(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """`image prune`."""
    which = f"images {UNUSED}" if flags.on("all") else "dangling images"
    if agreed(flags, f"WARNING! This will remove all {which}."):
        _show(cli, *images(cli, flags, flags.many("filter")))


def prune_volumes(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """`volume prune`."""
    which = "all local" if flags.on("all") else "anonymous local"
    if flags.on("all") and any(item.startswith("all=") for item in flags.many("filter")):
        raise Failure("conflicting options: cannot specify both --all and --filter all=1")
    if agreed(flags, f"WARNING! This will remove {which} volumes not used by at least one container."):
        _show(cli, *volumes(cli, flags, flags.many("filter")))


def prune_networks(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """`network prune`."""
    if agreed(flags, "WARNING! This will remove all custom networks not used by at least one container."):
        _show(cli, *networks(cli, flags, flags.many("filter")), total=False)


def system_warning(flags: Parsed) -> str:
    """What `system prune` is about to remove."""
    which = f"images {UNUSED}" if flags.on("all") else "dangling images"
    lines = ["all stopped containers", "all networks not used by at least one container"]
    lines += ["all anonymous volumes not used by at least one container"] if flags.on("volumes") else []
    lines += [f"all {which}"]
    text = "WARNING! This will remove:\n" + "\n".join(f"  - {line}" for line in lines) + "\n"
    if flags.many("filter"):
        text += "\n  Items to be pruned will be filtered with:\n"
        text += "\n".join(f"  - {item}" for item in flags.many("filter")) + "\n"
    return text


def prune_system(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """`system prune`: containers, networks, volumes if asked, images."""
    given = flags.many("filter")
    if flags.on("volumes") and any(item.startswith("until=") for item in given):
        raise Failure('ERROR: The "until" filter is not supported with "--volumes"')
    if not agreed(flags, system_warning(flags)):
        return
    steps = [containers, networks, *([volumes] if flags.on("volumes") else []), images]
    space = 0
    for step in steps:
        freed, text = step(cli, flags, given)
        space += freed
        if text:
            cli.out(text)
    cli.out(f"Total reclaimed space: {units.human_size(space)}")


USAGE = "[OPTIONS]"
DEFINITIONS = {
    "container prune": Definition(USAGE, prune_containers, flags=UNTIL, most=0),
    "image prune": Definition(USAGE, prune_images, flags=IMAGE_FLAGS, most=0),
    "volume prune": Definition(USAGE, prune_volumes, flags=VOLUME_FLAGS, most=0),
    "network prune": Definition(USAGE, prune_networks, flags=UNTIL, most=0),
    "system prune": Definition(USAGE, prune_system, flags=SYSTEM_FLAGS, most=0),
}
