"""Networks in Docker's JSON, and which of them a list shows. Pure."""

from collections.abc import Iterable
from typing import Any

from pier.network.definitions import PREDEFINED, Definition
from pier.network.endpoints import Lease
from pier.spec import timestamps
from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

Json = dict[str, Any]
LIST = frozenset({"dangling", "driver", "id", "label", "name", "scope", "type"})
PRUNE = frozenset({"label", "label!", "until"})
_PREFIX = "com.docker.network."


def network(definition: Definition, leases: Iterable[Lease] = ()) -> Json:
    """`GET /networks/{id}`; a list shows no containers."""
    return {
        "Name": definition.name,
        "Id": definition.id,
        "Created": definition.created,
        "Scope": definition.scope,
        "Driver": definition.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": _addresses(definition)},
        "Internal": definition.internal,
        "Attachable": definition.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": {lease.container_id: _endpoint(lease) for lease in leases},
        "Options": _options(definition),
        "Labels": dict(definition.labels),
    }


def _addresses(definition: Definition) -> list[Json]:
    if not definition.subnet:
        return []
    config: Json = {"Subnet": definition.subnet}
    if definition.ip_range:
        config["IPRange"] = definition.ip_range
    config["Gateway"] = definition.gateway
    if definition.reserved:
        config["AuxiliaryAddresses"] = dict(definition.reserved)
    return [config]


def _endpoint(lease: Lease) -> Json:
    endpoint = lease.endpoint
    address = f"{endpoint.address}/{endpoint.prefix}" if endpoint.address else ""
    return {
        "Name": lease.name.removeprefix("/"),
        "EndpointID": endpoint.endpoint_id,
        "MacAddress": endpoint.mac,
        "IPv4Address": address,
        "IPv6Address": "",
    }


def _options(definition: Definition) -> dict[str, str]:
    if definition.name != "bridge":
        return dict(definition.options)
    return {
        f"{_PREFIX}bridge.default_bridge": "true",
        f"{_PREFIX}bridge.enable_icc": "true" if definition.icc else "false",
        f"{_PREFIX}bridge.enable_ip_masquerade": "true" if definition.masquerade else "false",
        f"{_PREFIX}bridge.host_binding_ipv4": definition.host_binding or "0.0.0.0",
        f"{_PREFIX}bridge.name": definition.bridge,
        f"{_PREFIX}driver.mtu": str(definition.mtu),
    }


def choose(definitions: Iterable[Definition], filters: Filters, used: frozenset[str]) -> list[Definition]:
    """The networks that pass; `used` holds the ids of those with containers."""
    filters.validate(LIST)
    for kind in filters.get("type"):
        if kind not in ("builtin", "custom"):
            raise InvalidParameter(f"invalid filter: 'type'='{kind}'")
    dangling = filters.boolean("dangling", False) if "dangling" in filters else None
    return [
        one
        for one in definitions
        if filters.exact("driver", one.driver)
        and filters.exact("scope", one.scope)
        and filters.pattern("name", one.name)
        and filters.pattern("id", one.id)
        and filters.labels(one.labels)
        and filters.exact("type", "builtin" if is_predefined(one) else "custom")
        and (dangling is None or dangling is (not is_predefined(one) and one.id not in used))
    ]


def is_predefined(definition: Definition) -> bool:
    """One of the three that every daemon has."""
    return definition.name in PREDEFINED


def created(definition: Definition) -> int:
    """When it was made, in ns since 1970."""
    return timestamps.iso(definition.created)
