"""config.json's namespaces → the steps that join and make them. Pure."""

from typing import NamedTuple

from pier.kernel import namespaces as ns
from pier.kernel.cgroup import Layout
from pier.runtime import isolation, user_namespaces
from pier.runtime.config import Linux
from pier.runtime.steps import Failure, Step
from pier.runtime.sync import Facts

FLAGS = {
    "mount": ns.CLONE_NEWNS,
    "network": ns.CLONE_NEWNET,
    "ipc": ns.CLONE_NEWIPC,
    "uts": ns.CLONE_NEWUTS,
    "cgroup": ns.CLONE_NEWCGROUP,
    "time": ns.CLONE_NEWTIME,
    "pid": ns.CLONE_NEWPID,
    "user": ns.CLONE_NEWUSER,
}
_AT_BIRTH = ns.CLONE_NEWPID | ns.CLONE_NEWUSER


class Host(NamedTuple):
    """What the plan must know about the host."""

    last_capability: int
    layout: Layout


class Given(NamedTuple):
    """What came with the request beside the document."""

    facts: Facts
    cgroup: str
    netns: bool
    seccomp: bool
    tied: bool


class Apart(NamedTuple):
    """The steps that set the first process apart, and whether it then lives in a user namespace of its own."""

    steps: tuple[Step, ...]
    user: bool


def fork(given: Given, host: Host, flags: int, maps: tuple[str, ...] = ()) -> Step:
    """The step that goes on as the keeper's child, born in its v2 control group."""
    unified = host.layout.unified
    return isolation.Fork(flags, unified + given.cgroup if unified and given.cgroup else "", *maps)


def decide(linux: Linux, given: Given, host: Host) -> Apart:
    """Joined namespaces; then the fork, since a PID namespace takes only children; then the new ones in one call.

    A user namespace is joined last of all, while the host's root can still join the others, and made first of all, so
    that the new ones are its own. Raises Failure for what cannot be.
    """
    new, paths = _sorted(linux, given)
    joins_user, makes_user = "user" in paths, bool(new & ns.CLONE_NEWUSER)
    user_namespaces.check(linux, new=makes_user, joined=joins_user)
    steps: list[Step] = [isolation.JoinNetwork()] if given.netns else []
    order = sorted(paths, key=lambda kind: kind == "user")
    if joins_user and given.cgroup and host.layout.unified:
        steps.append(isolation.EnterUnified(given.cgroup, host.layout))
        given = given._replace(cgroup="")
    steps += [isolation.JoinNamespace(paths[kind], FLAGS[kind]) for kind in order]
    maps: tuple[str, ...] = ()
    if makes_user:
        uids, gids = linux.get("uidMappings") or [], linux.get("gidMappings") or []
        maps = user_namespaces.map_text(uids), user_namespaces.map_text(gids)
    steps.append(fork(given, host, new & _AT_BIRTH, maps))
    steps.append(isolation.NewNamespaces(new & ~_AT_BIRTH & ~ns.CLONE_NEWTIME | ns.CLONE_NEWNS))
    if new & ns.CLONE_NEWTIME:
        steps.append(user_namespaces.time_namespace(linux.get("timeOffsets") or {}))
    elif linux.get("timeOffsets"):
        raise Failure("time namespace offsets specified, but TIME namespace isn't enabled in the config")
    return Apart(tuple(steps), makes_user or joins_user)


def _sorted(linux: Linux, given: Given) -> tuple[int, dict[str, str]]:
    """The flags of the new namespaces, and the paths of the joined ones."""
    new, paths = 0, {}
    for namespace in linux.get("namespaces", []):
        kind, path = namespace["type"], namespace.get("path")
        if kind not in FLAGS:
            raise Failure(f'namespace "{kind}" is not supported by this runtime')
        if kind == "network" and given.netns:
            continue
        if path:
            paths[kind] = path
        else:
            new |= FLAGS[kind]
    return new, paths
