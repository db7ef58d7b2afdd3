"""`pier network create`, `ls`, `rm`, `connect` and `disconnect`."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.create.types import label, link
from pier.cli.failure import Failure
from pier.cli.output import filters, formats, times
from pier.cli.output.sorting import natural
from pier.cli.templates.values import Row
from pier.client.http import quote
from pier.spec.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

CREATE_FLAGS = """
    --attachable           Enable manual container attachment
    --aux-address map      Auxiliary IPv4 or IPv6 addresses used by Network driver (default map[])
    --config-from string   The network from which to copy the configuration
    --config-only          Create a configuration only network
-d, --driver string        Driver to manage the Network (default "bridge")
    --gateway strings      IPv4 or IPv6 Gateway for the master subnet
    --ingress              Create swarm routing-mesh network
    --internal             Restrict external access to the network
    --ip-range strings     Allocate container ip from a sub-range
    --ipam-driver string   IP Address Management Driver (default "default")
    --ipam-opt map         Set IPAM driver specific options (default map[])
    --ipv4                 Enable or disable IPv4 address assignment (default true)
    --ipv6                 Enable or disable IPv6 address assignment
    --label label          Set metadata on a network
-o, --opt map              Set driver specific options (default map[])
    --scope string         Control the network's scope
    --subnet strings       Subnet in CIDR format that represents a network segment
"""
CONNECT_FLAGS = """
    --alias strings           Add network-scoped alias for the container
    --driver-opt strings      driver options for the network
    --gw-priority int         Highest gw-priority provides the default gateway. Accepts positive and negative values.
    --ip string               IPv4 address (e.g., "172.30.100.104")
    --ip6 string              IPv6 address (e.g., "2001:db8::33")
    --link link               Add link to another container
    --link-local-ip strings   Add a link-local address for the container
"""
LIST_FLAGS = """
-f, --filter filter   Provide filter values (e.g. "driver=bridge")
    --format string   @format
    --no-trunc        Do not truncate the output
-q, --quiet           Only display network IDs
"""
HEADERS = {
    "ID": "NETWORK ID",
    "Name": "NAME",
    "Driver": "DRIVER",
    "Scope": "SCOPE",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
    "CreatedAt": "CREATED AT",
}
TABLE = "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}"


def listing(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """Ask for the list and print it."""
    networks = cli.client.get("/networks", filters.encode(flags.many("filter"))) or []
    form = flags.text("format")
    if not form and not flags.on("quiet"):
        form = cli.setting("networksFormat")
    if form in ("", "table"):
        form = "{{.ID}}" if flags.on("quiet") else TABLE
    elif form == "raw":
        form = "network_id: {{.ID}}" + (
            "" if flags.on("quiet") else "\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n"
        )
    ordered = sorted(networks, key=lambda network: natural(network["Name"]))
    formats.show(form, HEADERS, [row(network, trunc=not flags.on("no-trunc")) for network in ordered])


def row(network: dict[str, Any], *, trunc: bool) -> Row:
    """A network as the formatter's fields."""
    labels = network.get("Labels") or {}
    return Row(
        "network.networkContext",
        {
            "ID": lambda: formats.short_id(network["Id"]) if trunc else network["Id"],
            "Name": lambda: network["Name"],
            "Driver": lambda: network["Driver"],
            "Scope": lambda: network["Scope"],
            "IPv4": lambda: _flag(network.get("EnableIPv4")),
            "IPv6": lambda: _flag(network.get("EnableIPv6")),
            "Internal": lambda: _flag(network.get("Internal")),
            "Labels": lambda: formats.labels_text(labels),
            "CreatedAt": lambda: times.go_string(times.parse_rfc3339(network["Created"]), utc=True),
        },
        {"Label": lambda name: labels.get(name, "")},
    )


def _flag(value: object) -> str:
    return "true" if value else "false"


def create(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Make a network and print its id."""
    body: dict[str, Any] = {
        "Name": arguments[0],
        "Driver": flags.text("driver", "bridge"),
        "Scope": flags.text("scope"),
        "Internal": flags.on("internal"),
        "Attachable": flags.on("attachable"),
        "Ingress": flags.on("ingress"),
        "ConfigOnly": flags.on("config-only"),
        "Options": flags.mapping("opt"),
        "Labels": flags.mapping("label"),
        "IPAM": {
            "Driver": flags.text("ipam-driver", "default"),
            "Options": flags.mapping("ipam-opt"),
            "Config": address_pools(flags),
        },
    }
    for name, key in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if flags.changed(name):
            body[key] = flags.on(name)
    if flags.text("config-from"):
        body["ConfigFrom"] = {"Network": flags.text("config-from")}
    answer = cli.client.post("/networks/create", None, body)
    if answer.get("Warning"):
        cli.error(f"WARNING: {answer['Warning']}")
    cli.out(answer["Id"])


def address_pools(flags: Parsed) -> list[dict[str, Any]]:
    """Subnets with the ranges, gateways and other addresses that lie in them."""
    import ipaddress  # lazily: only networks with subnets of their own need it

    subnets = flags.many("subnet")
    others = len(flags.many("ip-range")) + len(flags.many("gateway"))
    if len(subnets) < len(flags.many("ip-range")) or len(subnets) < len(flags.many("gateway")):
        raise Failure("every ip-range or gateway must have a corresponding subnet")
    pools: dict[str, dict[str, Any]] = {}
    parsed: dict[str, Any] = {}
    for subnet in subnets:
        try:
            parsed[subnet] = ipaddress.ip_network(subnet, strict=False)
        except ValueError:
            if others:
                raise Failure(f"invalid CIDR address: {subnet}") from None
            parsed[subnet] = None
        if any(
            other and parsed[subnet] and other.overlaps(parsed[subnet])
            for key, other in parsed.items()
            if key != subnet
        ):
            raise Failure("multiple overlapping subnet configuration is not supported")
        pools[subnet] = {"Subnet": subnet}
    for name, key in (("ip-range", "IPRange"), ("gateway", "Gateway")):
        for value in flags.many(name):
            pool = _pool_of(value, parsed, pools, name)
            if key in pool:
                raise Failure(
                    f"cannot configure multiple {name}s ({value}, {pool[key]}) on the same subnet ({pool['Subnet']})"
                )
            pool[key] = value
    for name, address in flags.mapping("aux-address").items():
        _pool_of(address, parsed, pools, "aux-address").setdefault("AuxiliaryAddresses", {})[name] = address
    return list(pools.values())


def _pool_of(value: str, parsed: dict[str, Any], pools: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    import ipaddress

    try:
        address = ipaddress.ip_interface(value).ip
    except ValueError:
        kind = "CIDR address" if name == "ip-range" else "IP address"
        raise Failure(f"invalid {kind}: {value}") from None
    for subnet, network in parsed.items():
        if network is not None and address in network:
            return pools[subnet]
    raise Failure(f"no matching subnet for {name} {value}")


def remove(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Remove each; with --force a network that is not there is no failure."""

    def one(name: str) -> None:
        try:
            cli.client.delete(f"/networks/{quote(name)}")
        except NotFound:
            if not flags.on("force"):
                raise
        else:
            cli.out(name)

    failed = cli.each(arguments, one, echo=False)
    if failed:
        cli.error("exit status 1")
    return failed


def connect(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Give a container an endpoint on a network."""
    addresses = {
        key: flags.text(name) for name, key in (("ip", "IPv4Address"), ("ip6", "IPv6Address")) if flags.text(name)
    }
    config: dict[str, Any] = {"IPAMConfig": addresses}
    if flags.many("link-local-ip"):
        config["IPAMConfig"] = addresses | {"LinkLocalIPs": flags.many("link-local-ip")}
    for name, key in (("alias", "Aliases"), ("link", "Links")):
        if flags.many(name):
            config[key] = flags.many(name)
    options = flags.many("driver-opt")
    if any("=" not in option for option in options):
        raise Failure("invalid key/value pair format in driver options")
    if options:
        config["DriverOpts"] = flags.mapping("driver-opt")
    if flags.changed("gw-priority"):
        config["GwPriority"] = flags.number("gw-priority")
    body = {"Container": arguments[1], "EndpointConfig": config}
    cli.client.post(f"/networks/{quote(arguments[0])}/connect", None, body)


def disconnect(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Take the endpoint away."""
    body = {"Container": arguments[1], "Force": flags.on("force")}
    cli.client.post(f"/networks/{quote(arguments[0])}/disconnect", None, body)


RM = "-f, --force   Do not error if the network does not exist\n"
DISCONNECT = "-f, --force   Force the container to disconnect from a network\n"
PAIR = "[OPTIONS] NETWORK CONTAINER"
DEFINITIONS = {
    "network ls": Definition("[OPTIONS]", listing, flags=LIST_FLAGS, most=0),
    "network create": Definition(
        "[OPTIONS] NETWORK", create, flags=CREATE_FLAGS, least=1, most=1, types={"label": label}
    ),
    "network rm": Definition("NETWORK [NETWORK...]", remove, flags=RM, least=1),
    "network connect": Definition(PAIR, connect, flags=CONNECT_FLAGS, least=2, most=2, types={"link": link}),
    "network disconnect": Definition(PAIR, disconnect, flags=DISCONNECT, least=2, most=2),
}
