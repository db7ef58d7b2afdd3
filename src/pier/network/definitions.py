"""What a network is, apart from the kernel: its definition as it is kept, and the one that a user asks for. Pure.

Docker's words for options are read here; a word that Pier does not act on is refused by name, never ignored.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import msgspec

from pier.network.bridges import gateway_of
from pier.network.pools import AddressPool, free_subnet
from pier.network.rules import Segment
from pier.spec.errors import Forbidden, InvalidParameter, NotFound, NotSupported

PREDEFINED = ("bridge", "host", "none")
KIND = "network"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*", re.ASCII)
_PREFIX = "com.docker.network."
_BRIDGE_OPTIONS = {
    "bridge.name",
    "bridge.enable_icc",
    "bridge.enable_ip_masquerade",
    "bridge.host_binding_ipv4",
    "bridge.default_bridge",
    "driver.mtu",
}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One network as it is kept in the records. Fields from `bridge` on concern bridge networks only."""

    id: str
    name: str
    driver: str
    created: str
    scope: str = "local"
    bridge: str = ""
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    mtu: int = 1500
    icc: bool = True
    masquerade: bool = True
    internal: bool = False
    attachable: bool = False
    host_binding: str = ""
    made: bool = True
    configured: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    reserved: dict[str, str] = {}

    @property
    def interface(self) -> IPv4Interface:
        """The gateway's address with its subnet."""
        return IPv4Interface(f"{self.gateway}/{IPv4Network(self.subnet).prefixlen}")

    def segment(self) -> Segment:
        """The network as the packet rules see it."""
        return Segment(
            bridge=self.bridge,
            subnet=self.subnet,
            icc=self.icc,
            masquerade=self.masquerade,
            internal=self.internal,
        )


@dataclass(frozen=True, slots=True)
class NetworkRequest:
    """A user's wish for a network of his own; empty values leave the choice to the engine."""

    name: str
    driver: str = "bridge"
    subnet: str = ""
    gateway: str = ""
    ip_range: str = ""
    internal: bool = False
    attachable: bool = False
    ipv6: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    reserved: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a definition depends on beside the wish: subnets in use, the pools of free ones, the MTU of the way out."""

    in_use: Sequence[IPv4Network]
    pools: Sequence[AddressPool]
    mtu: int


def define(request: NetworkRequest, identity: str, created: str, host: Surroundings) -> Definition:
    """Turn a wish into a definition. Raises the error that Docker gives for a bad or impossible one."""
    _check(request)
    options = {key.removeprefix(_PREFIX): value for key, value in request.options.items()}
    subnet = _subnet(request, host)
    gateway = _gateway(request, subnet)
    return Definition(
        id=identity,
        name=request.name,
        driver="bridge",
        created=created,
        bridge=_bridge_name(options.get("bridge.name", ""), identity),
        subnet=str(subnet),
        gateway=str(gateway),
        ip_range=_pool(request, subnet),
        mtu=_mtu(options.get("driver.mtu", ""), host.mtu),
        icc=_truth("bridge.enable_icc", options),
        masquerade=_truth("bridge.enable_ip_masquerade", options),
        internal=request.internal,
        attachable=request.attachable,
        host_binding=_binding(options.get("bridge.host_binding_ipv4", "")),
        configured=bool(request.subnet),
        options=dict(request.options),
        labels=dict(request.labels),
        reserved=dict(request.reserved),
    )


def _check(request: NetworkRequest) -> None:
    if request.name in PREDEFINED:
        raise Forbidden(f"operation is not permitted on predefined {request.name} network ")
    if not request.name.strip():
        raise InvalidParameter("invalid name: name is empty" if request.name else "network name cannot be empty")
    if not _NAME.fullmatch(request.name):
        raise InvalidParameter(f'invalid network name "{request.name}": only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed')
    if request.driver not in ("", "default", "bridge"):
        raise NotFound(f"could not find plugin {request.driver} in v1 plugin registry: plugin not found")
    if request.ipv6:
        raise NotSupported("IPv6 networks are not supported yet: create the network without --ipv6")
    for key in request.options:
        if key.startswith(_PREFIX) and key.removeprefix(_PREFIX) not in _BRIDGE_OPTIONS:
            raise NotSupported(f"network option {key} is not supported")


def _subnet(request: NetworkRequest, host: Surroundings) -> IPv4Network:
    if not request.subnet:
        if request.gateway or request.ip_range:
            raise InvalidParameter("invalid IPAM config: a gateway or an IP range needs a subnet")
        return free_subnet(host.in_use, host.pools)
    try:
        subnet = IPv4Network(request.subnet, strict=False)
    except ValueError:
        raise InvalidParameter(f"invalid subnet {request.subnet}: invalid CIDR block notation") from None
    if str(subnet.network_address) != request.subnet.partition("/")[0]:
        raise InvalidParameter(f"invalid subnet {request.subnet}: it should be {subnet}")
    if subnet.prefixlen > 30 or subnet.prefixlen == 0:
        raise InvalidParameter(f"invalid subnet {subnet}: no room for containers")
    if any(subnet.overlaps(one) for one in host.in_use):
        raise Forbidden("Pool overlaps with other one on this address space")
    return subnet


def _gateway(request: NetworkRequest, subnet: IPv4Network) -> IPv4Address:
    if not request.gateway:
        return gateway_of(subnet)
    try:
        gateway = IPv4Address(request.gateway)
    except ValueError:
        raise InvalidParameter(f"invalid gateway address {request.gateway}") from None
    if gateway not in subnet or gateway in (subnet.network_address, subnet.broadcast_address):
        raise InvalidParameter(f"no matching subnet for gateway {gateway}")
    return gateway


def _pool(request: NetworkRequest, subnet: IPv4Network) -> str:
    if not request.ip_range:
        return ""
    try:
        pool = IPv4Network(request.ip_range)
    except ValueError:
        raise InvalidParameter(f"invalid ip-range {request.ip_range}: not a CIDR address") from None
    if not pool.subnet_of(subnet):
        raise InvalidParameter(f"no matching subnet for range {pool}")
    return str(pool)


def _bridge_name(name: str, identity: str) -> str:
    if not name:
        return "br-" + identity[:12]
    if len(name.encode()) > 15 or not re.fullmatch(r"[^\s/:]+", name) or name in (".", ".."):
        raise InvalidParameter(f"invalid bridge name: {name}")
    return name


def _mtu(text: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and 68 <= int(text) <= 65535):
        raise InvalidParameter(f"failed to parse {_PREFIX}driver.mtu value: {text}")
    return int(text)


def _binding(text: str) -> str:
    if not text:
        return ""
    try:
        return str(IPv4Address(text))
    except ValueError:
        raise InvalidParameter(f"failed to parse {_PREFIX}bridge.host_binding_ipv4 value: {text}") from None


def _truth(name: str, options: Mapping[str, str]) -> bool:
    value = options.get(name, "true")
    if value in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if value in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise InvalidParameter(f'failed to parse {_PREFIX}{name} value: "{value}" is no boolean')
