"""The values of this package: what a container asks for, what it got, and how that is kept over a restart of the
daemon.
"""

from dataclasses import dataclass

import msgspec

from pier.spec.host_config import PortBinding
from pier.spec.ports import Port, Publication


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """A container's wishes for its place in a network; `name` is the container's, for messages.

    Empty: the engine chooses.
    """

    name: str = ""
    mac: str = ""
    address: str = ""
    ports: tuple[Publication, ...] = ()
    exposed: tuple[Port, ...] = ()


class Endpoint(msgspec.Struct, frozen=True):
    """A container's place in one network; `link` is the host's end of its veth pair."""

    network_id: str
    endpoint_id: str
    address: str
    prefix: int
    gateway: str
    mac: str
    link: str = ""


class Mapping(msgspec.Struct, frozen=True):
    """Host ports first…last published to as many container ports; `address` is empty for every address of the host."""

    protocol: str
    address: str
    first: int
    last: int
    container_first: int

    @property
    def count(self) -> int:
        """How many ports it covers."""
        return self.last - self.first + 1

    @property
    def kept_number(self) -> bool:
        """Whether each port has the same number on both sides."""
        return self.first == self.container_first


class StoredLease(msgspec.Struct, frozen=True):
    """A lease as it is kept beside the daemon: enough to know it again in the kernel."""

    container_id: str
    name: str
    endpoint: Endpoint
    mappings: tuple[Mapping, ...] = ()
    exposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """A container's hold on the network until `Networks.release`.

    The descriptors belong to `Networks`, which closes them at release: a receiver duplicates what it wants to keep.
    `netns_fd` is -1 in a lease that outlived the daemon that made it. `held` are the bound sockets of published ports.
    """

    container_id: str
    name: str
    endpoint: Endpoint
    netns_fd: int
    ports: dict[str, list[PortBinding] | None]
    held: tuple[int, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    exposed: tuple[str, ...] = ()

    def stored(self) -> StoredLease:
        """The part that outlives the daemon."""
        return StoredLease(self.container_id, self.name, self.endpoint, self.mappings, self.exposed)


def bindings(mappings: tuple[Mapping, ...], exposed: tuple[str, ...]) -> dict[str, list[PortBinding] | None]:
    """Return NetworkSettings.Ports for what is published and exposed."""
    found: dict[str, list[PortBinding] | None] = dict.fromkeys(exposed)
    for mapping in mappings:
        for place in range(mapping.count):
            key = f"{mapping.container_first + place}/{mapping.protocol}"
            binding = PortBinding(HostIp=mapping.address or "0.0.0.0", HostPort=str(mapping.first + place))
            found[key] = [*(found.get(key) or ()), binding]
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _order(key: str) -> tuple[int, str]:
    number, _, protocol = key.partition("/")
    return int(number), protocol
