"""`--network` in its short and its long form, and the old flags that describe the first network. Pure."""

from __future__ import annotations

from pier.cli import values
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FIELDS = {"ip": "IPv4Address", "ip6": "IPv6Address"}
BUILT_IN = ("", "default", "bridge", "host", "none")


def parse_network(raw: str) -> dict[str, Any]:
    """The target and its options; ValueError in Docker's words."""
    if "=" not in raw:
        return {"target": raw}
    result: dict[str, Any] = {"target": ""}
    for field in values.split_csv(raw):
        key, mark, value = field.strip().partition("=")
        key, value = key.strip().lower(), value.strip().lower() if key.strip().lower() != "name" else value.strip()
        if not mark:
            raise ValueError("invalid field " + field)
        if key == "name":
            result["target"] = value
        elif key == "alias":
            result.setdefault("aliases", []).append(value)
        elif key in ("ip", "ip6", "mac-address"):
            result[key] = value
        elif key == "link-local-ip":
            result.setdefault("local", []).append(value)
        elif key == "driver-opt":
            name, equals, text = value.partition("=")
            if not equals:
                raise ValueError("invalid key value pair format in driver options")
            result.setdefault("options", {})[name] = text
        elif key == "gw-priority":
            result["priority"] = _priority(value)
        else:
            raise ValueError(f"invalid field key {key}")
    return result


def _priority(value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ValueError(f"invalid gw-priority ({value}): invalid syntax") from None


def is_user_defined(name: str) -> bool:
    """True for a network that a user made."""
    return name not in BUILT_IN and not name.startswith("container:")


def endpoints(flags: Parsed, *, mac_in_endpoint: bool = True) -> tuple[str, dict[str, dict[str, Any]]]:
    """The network mode and the endpoints' configuration."""
    networks = [parse_network(raw) for raw in [*flags.many("net"), *flags.many("network")]]
    explicit = bool(networks)
    networks = networks or [{"target": "default"}]
    _apply_old_flags(networks[0], flags, mac_in_endpoint=mac_in_endpoint)
    result: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for network in networks:
        target = network["target"]
        if not target.strip():
            raise Failure("no name set for network")
        if target in seen:
            raise Failure(f'network "{target}" is specified multiple times')
        seen.add(target)
        endpoint = _endpoint(network, target)
        if endpoint or len(networks) > 1:
            result[target] = endpoint
    if explicit and len({is_user_defined(name) for name in seen}) > 1:
        raise Failure("conflicting options: cannot attach both user-defined and non-user-defined network-modes")
    return networks[0]["target"], result


def _apply_old_flags(network: dict[str, Any], flags: Parsed, *, mac_in_endpoint: bool) -> None:
    aliases = flags.many("net-alias") + flags.many("network-alias")
    if aliases and network.get("aliases"):
        raise Failure("conflicting options: cannot specify both --network-alias and per-network alias")
    if aliases:
        network["aliases"] = aliases
    if flags.many("link") and is_user_defined(network["target"]):
        network["links"] = flags.many("link")
    for flag, words in (("ip", "IPv4"), ("ip6", "IPv6")):
        if flags.text(flag) and network.get(flag):
            raise Failure(f"conflicting options: cannot specify both --{flag} and per-network {words} address")
        if flags.text(flag):
            network[flag] = flags.text(flag)
    if flags.many("link-local-ip"):
        network["local"] = flags.many("link-local-ip")
    if flags.text("mac-address") and mac_in_endpoint:
        if network.get("mac-address"):
            raise Failure("conflicting options: cannot specify both --mac-address and per-network MAC address")
        network["mac-address"] = flags.text("mac-address")


def _endpoint(network: dict[str, Any], target: str) -> dict[str, Any]:
    if not is_user_defined(target):
        if network.get("aliases"):
            raise Failure("network-scoped aliases are only supported for user-defined networks")
        if network.get("links"):
            raise Failure("links are only supported for user-defined networks")
    names = {"aliases": "Aliases", "links": "Links", "options": "DriverOpts", "priority": "GwPriority"}
    names["mac-address"] = "MacAddress"
    endpoint: dict[str, Any] = {names[key]: value for key, value in network.items() if key in names}
    addresses = {FIELDS[key]: network[key] for key in FIELDS if key in network}
    if network.get("local"):
        addresses["LinkLocalIPs"] = network["local"]
    if addresses:
        endpoint["IPAMConfig"] = addresses
    return endpoint
