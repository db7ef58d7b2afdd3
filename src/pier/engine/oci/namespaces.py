"""Which namespaces a container has to itself, which it takes from another container, which are the host's; pure.

Source: moby `daemon/oci_linux.go` (WithNamespaces).
"""

from pier.engine.oci.facts import ContainerFacts
from pier.spec.runtime_config import Namespace

_CONTAINER = "container:"


def is_container(mode: str) -> bool:
    """Whether a mode names another container."""
    return mode.startswith(_CONTAINER)


def container_of(mode: str) -> str:
    """The container that a mode names; "" when it names none."""
    return mode.removeprefix(_CONTAINER) if is_container(mode) else ""


def own_network(facts: ContainerFacts) -> bool:
    """Whether the network namespace is the container's own."""
    mode = facts.host_config.NetworkMode
    return mode != "host" and not is_container(mode)


def namespaces(facts: ContainerFacts) -> tuple[Namespace, ...]:
    """The configuration's list: a path where a namespace is joined, nothing where it is the host's."""
    host_config, joined = facts.host_config, facts.joined
    found = [Namespace(type="mount")]
    for kind, mode, path in (
        ("network", host_config.NetworkMode, joined.network),
        ("uts", host_config.UTSMode, ""),
        ("pid", host_config.PidMode, joined.pid),
        ("ipc", host_config.IpcMode, joined.ipc),
    ):
        if mode != "host":
            found.append(Namespace(type=kind, path=path))
    if host_config.CgroupnsMode == "private":
        found.append(Namespace(type="cgroup"))
    return tuple(found)
