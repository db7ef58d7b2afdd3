"""Checks of what a create asks of the network: modes that exclude each other, ports, names and addresses; pure.

Source: moby `runconfig/hostconfig_unix.go` (validateNetMode), `daemon/container.go` and
`daemon/container_operations.go`.
"""

import ipaddress
import re

from pier.engine.oci.namespaces import container_of, is_container
from pier.engine.oci.network_files import HOST_GATEWAY, split_extra_host
from pier.spec.containers import CreateRequest, EndpointSettings, HostConfig
from pier.spec.errors import InvalidParameter, NotSupported
from pier.spec.ports import exposed_ports, parse_range, publications

_MAC = re.compile(r"[0-9a-fA-F]{2}([:-])(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}", re.ASCII)
_ALIAS = re.compile(r"[^\x00-\x20\x7f#:]+")
_BAD_IN_LINE = re.compile(r"[\x00-\x20\x7f]")


def check(request: CreateRequest, host_config: HostConfig) -> list[str]:
    """Docker's warnings; InvalidParameter for the first thing that cannot be."""
    _check_modes(request, host_config)
    for entry in host_config.ExtraHosts or ():
        check_extra_host(entry)
    _check_resolver(host_config)
    for key in (*(host_config.PortBindings or ()), *(request.ExposedPorts or ())):
        parse_range(key.partition("/")[0])
    # parsing is the check
    publications(host_config.PortBindings or {})
    exposed_ports(request.ExposedPorts or ())
    if request.MacAddress:
        _check_mac(request.MacAddress)
    for name, settings in ((request.NetworkingConfig and request.NetworkingConfig.EndpointsConfig) or {}).items():
        _check_endpoint(name, settings)
    if host_config.NetworkMode == "host" and host_config.PortBindings:
        return ["Published ports are discarded when using host network mode"]
    return []


def check_extra_host(entry: str) -> None:
    """One `--add-host`."""
    name, address = split_extra_host(entry)
    if not name or not address:
        raise InvalidParameter(f'bad format for add-host: "{entry}"')
    if not _ALIAS.fullmatch(name):
        raise InvalidParameter(f'bad format for add-host: "{entry}"')
    if address != HOST_GATEWAY and not _is_address(address):
        raise InvalidParameter(f'invalid IP address in add-host: "{address}"')


def _check_modes(request: CreateRequest, host_config: HostConfig) -> None:
    mode = host_config.NetworkMode
    joins = is_container(mode)
    if joins and not container_of(mode):
        raise InvalidParameter("Invalid network mode: invalid container format container:<name|id>")
    ports = bool(host_config.PortBindings) or host_config.PublishAllPorts
    for clash, text in (
        (host_config.UTSMode == "host" and request.Hostname, "hostname and the UTS mode"),
        (joins and request.Hostname, "hostname and the network mode"),
        (mode == "host" and host_config.Links, "host type networking can't be used with links. " + _UNDEFINED),
        (joins and host_config.Links, "container type network can't be used with links. " + _UNDEFINED),
        (joins and host_config.Dns, "dns and the network mode"),
        (joins and host_config.ExtraHosts, "custom host-to-IP mapping and the network mode"),
        ((joins or mode == "host") and request.MacAddress, "mac-address and the network mode"),
        (joins and ports, "port publishing and the container type network mode"),
        (joins and request.ExposedPorts, "port exposing and the container type network mode"),
    ):
        if clash:
            raise InvalidParameter(f"conflicting options: {text}")


_UNDEFINED = "This would result in undefined behavior"


def _check_resolver(host_config: HostConfig) -> None:
    for server in host_config.Dns or ():
        if not _is_address(server):
            raise InvalidParameter(f"bad nameserver address {server}")
    for kind, entries in (("DnsSearch", host_config.DnsSearch), ("DnsOptions", host_config.DnsOptions)):
        for entry in entries or ():
            if not entry or _BAD_IN_LINE.search(entry):
                raise InvalidParameter(f"invalid {kind} entry: {entry!r}")


def _check_endpoint(name: str, settings: EndpointSettings | None) -> None:
    if settings is None:
        raise InvalidParameter(f"no EndpointSettings for {name}")
    if settings.MacAddress:
        _check_mac(settings.MacAddress)
    for alias in settings.Aliases or ():
        if not _ALIAS.fullmatch(alias):  # it stands in the hosts files of others
            raise InvalidParameter(f"invalid alias for network {name}: {alias!r}")
    if settings.Links:
        raise NotSupported(f"Links of network {name} are not supported: its containers know each other by name")
    if settings.DriverOpts:
        raise NotSupported(f"driver option {next(iter(settings.DriverOpts))} of network {name} is not supported")
    wanted = settings.IPAMConfig
    if wanted is None:
        return
    if wanted.IPv4Address and not _is_address(wanted.IPv4Address, 4):
        raise InvalidParameter(f"invalid IPv4 address: {wanted.IPv4Address}")
    if wanted.IPv6Address and not _is_address(wanted.IPv6Address, 6):
        raise InvalidParameter(f"invalid IPv6 address: {wanted.IPv6Address}")
    for address in wanted.LinkLocalIPs or ():
        if not _is_address(address):
            raise InvalidParameter(f"invalid link-local IP address: {address}")
    for field, value in (("IPv6Address", wanted.IPv6Address), ("LinkLocalIPs", wanted.LinkLocalIPs)):
        if value:
            raise NotSupported(f"IPAMConfig.{field} of network {name} is not supported yet")


def _check_mac(text: str) -> None:
    if not _MAC.fullmatch(text):
        raise InvalidParameter(f"invalid MAC address: {text}")


def _is_address(text: str, version: int = 0) -> bool:
    try:
        return ipaddress.ip_address(text).version in ((version,) if version else (4, 6))
    except ValueError:
        return False
