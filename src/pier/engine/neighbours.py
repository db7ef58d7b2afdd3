"""Containers that share a user-defined network know each other by name: in their /etc/hosts, kept true by the engine.

A name is the container's, one of its aliases or its short id. Files are rewritten in place whenever somebody comes to
the network or leaves it, for they are mounted into running containers.
"""

from collections.abc import Iterable, Iterator

from pier.engine.endpoints import main_network
from pier.engine.record import Record

_PREDEFINED = ("", "bridge", "host", "none")
Entry = tuple[str, str]


def is_user_defined(network: str) -> bool:
    """Whether it is a network on which containers know each other's names."""
    return network not in _PREDEFINED


def names_of(record: Record, network: str) -> list[str]:
    """The names by which a container is known on a network, its own first."""
    aliases = record.endpoints[network].Aliases or []
    return list(dict.fromkeys((record.name, *aliases, record.short_id)))


def on_network(records: Iterable[Record], network: str, but: str = "") -> Iterator[Record]:
    """The containers that are connected to a network now, without the one of an id."""
    for record in records:
        settings = record.endpoints.get(network)
        if record.id != but and settings is not None and settings.IPAddress and main_network_of(record) == network:
            yield record


def main_network_of(record: Record) -> str:
    """The network that a container is connected to."""
    return main_network(record.host_config.NetworkMode)


def entries(records: Iterable[Record], of: Record) -> tuple[Entry, ...]:
    """What the hosts file of a container says of the others on its network, as (name, address)."""
    network = main_network_of(of)
    if not is_user_defined(network):
        return ()
    return tuple(
        (name, each.endpoints[network].IPAddress)
        for each in on_network(records, network, but=of.id)
        for name in names_of(each, network)
    )
