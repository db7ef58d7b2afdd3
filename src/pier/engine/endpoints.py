"""A container's networks and ports as its record keeps them and as the API shows them; pure."""

from collections.abc import Mapping

import msgspec

from pier.engine.record import Record
from pier.spec.containers import EndpointSettings, HostConfig, NetworkingConfig, PortBinding

Json = dict[str, object]

# what the network chooses for as long as a container is connected
_CHOSEN = ("EndpointID", "Gateway", "IPAddress", "IPv6Gateway", "GlobalIPv6Address")
_CHOSEN_NUMBERS = ("IPPrefixLen", "GlobalIPv6PrefixLen")


def main_network(mode: str) -> str:
    """The network that `NetworkMode` names: «default» is the bridge; empty when another container's is joined."""
    if mode in ("", "default"):
        return "bridge"
    return "" if mode.startswith("container:") else mode


def joined_container(mode: str) -> str:
    """The container whose network namespace is joined, or empty."""
    return mode.removeprefix("container:") if mode.startswith("container:") else ""


def wishes(host_config: HostConfig, networking: NetworkingConfig | None) -> dict[str, EndpointSettings]:
    """The networks of a new container with the client's wishes, its main network first."""
    name = main_network(host_config.NetworkMode)
    if not name:
        return {}
    asked = (networking.EndpointsConfig if networking else None) or {}
    spellings = (name, "default") if name == "bridge" else (name,)
    main = next((asked[key] for key in spellings if asked.get(key)), None)
    others = {
        key: settings or EndpointSettings()
        for key, settings in asked.items()
        if key not in spellings and name not in ("host", "none")
    }
    return {name: main or EndpointSettings(), **others}


def disconnected(endpoints: Mapping[str, EndpointSettings]) -> dict[str, EndpointSettings]:
    """The wishes alone, once the container is no more connected."""
    cleared = dict.fromkeys(_CHOSEN, "") | dict.fromkeys(_CHOSEN_NUMBERS, 0)
    wished = {"MacAddress": ""}
    return {
        name: msgspec.structs.replace(settings, **cleared, **({} if _keeps_mac(settings) else wished))
        for name, settings in endpoints.items()
    }


def _keeps_mac(settings: EndpointSettings) -> bool:
    return bool(settings.MacAddress) and not settings.EndpointID


def shown_endpoints(record: Record) -> Json:
    """`NetworkSettings.Networks` in Docker's JSON."""
    return {name: msgspec.to_builtins(settings) for name, settings in record.endpoints.items()}


def shown_ports(ports: Mapping[str, list[PortBinding] | None]) -> Json:
    """`NetworkSettings.Ports`: null for a port that is exposed and not published."""
    return {port: msgspec.to_builtins(bindings) if bindings else None for port, bindings in sorted(ports.items())}


def port_rows(record: Record) -> list[Json]:
    """The `Ports` of a row of the list."""
    rows: list[Json] = []
    for port, bindings in sorted(record.ports.items(), key=_by_protocol):
        number, _, protocol = port.partition("/")
        private = {"PrivatePort": int(number)}
        rows += [
            {"IP": binding.HostIp, **private, "PublicPort": int(binding.HostPort), "Type": protocol}
            for binding in bindings or ()
        ] or [{**private, "Type": protocol}]
    return rows


def _by_protocol(item: tuple[str, list[PortBinding] | None]) -> tuple[int, str]:
    number, _, protocol = item[0].partition("/")
    return int(number), protocol
