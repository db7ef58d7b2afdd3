"""Flags and directives of dockerd that Pier does not have: each is refused by its name, with the reason.

A value that only states what Pier does anyway (`--iptables=false`, `--storage-driver overlay2`) is taken: it asks for
nothing else.
"""

from dataclasses import dataclass

from pier.daemon.flags import Kind


@dataclass(frozen=True, slots=True)
class Refusal:
    """A flag that is refused. `already`: the values that describe Pier as it is; `directives`: names in daemon.json."""

    name: str
    reason: str
    kind: Kind = Kind.TEXT
    already: tuple[str, ...] = ()
    short: str = ""
    directives: tuple[str, ...] = ()


_B, _I, _L, _M = Kind.BOOL, Kind.INTEGER, Kind.LIST, Kind.MAP
_CONTAINERD = "Pier runs containers itself and has no containerd"
_NFTABLES = "Pier keeps its own nftables table and never calls iptables"
_IPV6 = "the default bridge has IPv4 only"
_TLS = "Pier does not serve TLS yet: reach the unix socket through ssh://"
_REALTIME = "the kernel's real-time group scheduling is not offered"
_ENVIRONMENT = "set HTTP_PROXY, HTTPS_PROXY and NO_PROXY in the daemon's environment"
_SWARM = "Pier is not a swarm node"

REFUSALS: tuple[Refusal, ...] = (
    Refusal("allow-direct-routing", "published ports are reached through the host's addresses only", _B, ("false",)),
    Refusal("authorization-plugin", "Pier has no plugins", _L, directives=("authorization-plugins",)),
    Refusal("bip6", _IPV6),
    Refusal("bridge-accept-fwmark", "Pier's table has no such rule"),
    Refusal("cdi-spec-dir", "Pier has no CDI devices", _L, directives=("cdi-spec-dirs",)),
    Refusal("cgroup-parent", "each daemon's containers have the cgroup parent of its data root"),
    Refusal("containerd", _CONTAINERD),
    Refusal("containerd-namespace", _CONTAINERD),
    Refusal("containerd-plugins-namespace", _CONTAINERD, directives=("containerd-plugin-namespace",)),
    Refusal("cpu-rt-period", _REALTIME, _I, ("0",)),
    Refusal("cpu-rt-runtime", _REALTIME, _I, ("0",)),
    Refusal("cri-containerd", _CONTAINERD, _B, ("false",)),
    Refusal("default-gateway", "the default bridge is its own gateway"),
    Refusal("default-gateway-v6", _IPV6),
    Refusal(
        "default-network-opt", "the bridge driver has no options to default", _M, directives=("default-network-opts",)
    ),
    Refusal(
        "exec-opt", "cgroups are written directly", _L, ("native.cgroupdriver=cgroupfs",), directives=("exec-opts",)
    ),
    Refusal("experimental", "Pier has no experimental mode", _B, ("false",)),
    Refusal("feature", "Pier has no feature switches", _M, directives=("features",)),
    Refusal("firewall-backend", _NFTABLES, already=("nftables",)),
    Refusal("fixed-cidr", "addresses come from the whole subnet of --bip"),
    Refusal("fixed-cidr-v6", _IPV6),
    Refusal(
        "host-gateway-ip", "host-gateway is the address of the default bridge", _L, directives=("host-gateway-ips",)
    ),
    Refusal("http-proxy", _ENVIRONMENT, directives=("proxies",)),
    Refusal("https-proxy", _ENVIRONMENT),
    Refusal("ip-forward", "the default bridge needs forwarding, and Pier switches it on", _B, ("true",)),
    Refusal("ip-forward-no-drop", "Pier leaves the policy of other chains alone", _B, ("true",)),
    Refusal("ip-masq", "the default bridge masquerades", _B, ("true",)),
    Refusal("ip6tables", _NFTABLES, _B, ("false",)),
    Refusal("iptables", _NFTABLES, _B, ("false",)),
    Refusal("ipv6", _IPV6, _B, ("false",)),
    Refusal("live-restore", "containers always outlive the daemon: see --shutdown-containers", _B, ("true",)),
    Refusal("metrics-addr", "Pier has no metrics endpoint"),
    Refusal("network-control-plane-mtu", _SWARM, _I, ("1500",)),
    Refusal("network-diagnostic-port", _SWARM, _I, ("0",)),
    Refusal("no-proxy", _ENVIRONMENT),
    Refusal("node-generic-resource", _SWARM, _L, directives=("node-generic-resources",)),
    Refusal("nri-opts", _CONTAINERD),
    Refusal("raw-logs", "the daemon's log never has colours", _B, ("true",)),
    Refusal("restart", "restart policies are a matter of each container (--restart of run)", _B, ("true",)),
    Refusal("rootless", "Pier runs as root", _B, ("false",)),
    Refusal("selinux-enabled", "Pier does not label containers for SELinux", _B, ("false",)),
    Refusal("storage-driver", "layers are directories under overlay", already=("overlay2",), short="s"),
    Refusal("storage-opt", "overlay has no options to set", _L, directives=("storage-opts",)),
    Refusal("swarm-default-advertise-addr", _SWARM),
    Refusal("tls", _TLS, _B, ("false",)),
    Refusal("tlscacert", _TLS),
    Refusal("tlscert", _TLS),
    Refusal("tlskey", _TLS),
    Refusal("tlsverify", _TLS, _B, ("false",)),
    Refusal("userland-proxy", "ports are published by the kernel, without a proxy process", _B, ("false",)),
    Refusal("userland-proxy-path", "ports are published by the kernel, without a proxy process"),
    Refusal("userns-remap", "user namespaces are not offered yet"),
    Refusal("builder", "Pier does not build images yet", _M),
    Refusal("register-service", "a flag of Windows", _B),
    Refusal("unregister-service", "a flag of Windows", _B),
    Refusal("run-service", "a flag of Windows", _B),
    Refusal("service-name", "a flag of Windows"),
)

BY_NAME = {refusal.name: refusal for refusal in REFUSALS}
BY_SHORT = {refusal.short: refusal for refusal in REFUSALS if refusal.short}
BY_DIRECTIVE = {directive: refusal for refusal in REFUSALS for directive in (refusal.name, *refusal.directives)}


def refusal_of(name: str, value: str, refusal: Refusal) -> str | None:
    """What to tell about `name` (as the user wrote it) with `value`; None when it states what is so already."""
    return None if value in refusal.already else f"{name} is not supported: {refusal.reason}"
