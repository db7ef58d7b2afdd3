"""The whole OCI configuration of one container, put together from its parts; pure."""

from pier.engine.oci import devices, mounts, namespaces, paths, processes, resources, security
from pier.engine.oci.facts import ContainerFacts, Settings
from pier.runtime.facts import HostFacts
from pier.spec.oci_version import OCI_VERSION
from pier.spec.runtime_config import Linux, Root, Spec


def configure(facts: ContainerFacts, host: HostFacts, settings: Settings) -> Spec:
    """The configuration. InvalidParameter for what only shows now (unknown user, missing device)."""
    host_config = facts.host_config
    options = security.parse(host_config, settings, host)
    own_uts = host_config.UTSMode != "host"
    return Spec(
        oci_version=OCI_VERSION,
        root=Root(path=facts.root, readonly=host_config.ReadonlyRootfs),
        hostname=facts.config.Hostname if own_uts else "",
        domainname=facts.config.Domainname if own_uts else "",
        process=processes.container_process(facts, options, host, settings),
        mounts=mounts.mounts(facts),
        linux=_linux(facts, options, host, settings),
        annotations=dict(host_config.Annotations or {}),
    )


def _linux(facts: ContainerFacts, options: security.SecurityOptions, host: HostFacts, settings: Settings) -> Linux:
    host_config = facts.host_config
    nodes, rules = devices.devices(facts)
    bounding = processes.bounding_set(facts, host)
    return Linux(
        namespaces=namespaces.namespaces(facts),
        devices=nodes,
        cgroups_path=facts.cgroup,
        resources=resources.linux_resources(host_config, facts.block_devices, rules),
        seccomp=security.seccomp(options, host_config, bounding, host, settings),
        rootfs_propagation=mounts.rootfs_propagation(facts),
        masked_paths=_hidden(host_config.MaskedPaths, paths.masked(host), privileged=host_config.Privileged),
        readonly_paths=_hidden(host_config.ReadonlyPaths, paths.READONLY, privileged=host_config.Privileged),
        sysctl=_sysctls(facts, host),
    )


def _hidden(asked: list[str] | None, default: tuple[str, ...], *, privileged: bool) -> tuple[str, ...]:
    if privileged:
        return ()
    return default if asked is None else tuple(asked)


def _sysctls(facts: ContainerFacts, host: HostFacts) -> dict[str, str]:
    """Docker's two gifts to unprivileged programs in their own network (ping, low ports), then the client's wishes."""
    found: dict[str, str] = {}
    if namespaces.own_network(facts):
        if "net.ipv4.ping_group_range" in host.sysctls:
            found["net.ipv4.ping_group_range"] = "0 2147483647"
        if "net.ipv4.ip_unprivileged_port_start" in host.sysctls:
            found["net.ipv4.ip_unprivileged_port_start"] = "0"
    return {**found, **(facts.host_config.Sysctls or {})}
