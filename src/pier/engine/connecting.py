"""A container's way into its network at a start, and what its record shows of it. Plain: it runs in a thread."""

import os
from dataclasses import dataclass

from msgspec.structs import replace

from pier.engine.neighbours import is_user_defined, names_of
from pier.engine.record import Record, replaced
from pier.network.endpoints import Endpoint, EndpointRequest, Lease
from pier.network.networks import Networks
from pier.spec.containers import EndpointSettings
from pier.spec.ports import exposed_ports, publications


@dataclass(frozen=True)
class Connection:
    """What a launch takes along: a network namespace (None: the host's, or the one that the configuration names).

    `own` tells that the namespace's descriptor is ours to close; otherwise it stays with the network.
    """

    record: Record
    netns_fd: int | None = None
    held: tuple[int, ...] = ()
    own: bool = False

    def close(self) -> None:
        """Close what is ours, once the launch has taken it along."""
        if self.own and self.netns_fd is not None:
            os.close(self.netns_fd)


def connect(record: Record, networks: Networks) -> Connection:
    """Connect a container as its record wishes. The namespace has no link but lo for `none` or a disabled network."""
    names = tuple(record.endpoints)
    if not names or names[0] == "host":
        return Connection(_with_ids(record, networks))
    if names[0] == "none" or record.config.NetworkDisabled:
        return Connection(_with_ids(record, networks), networks.private(), own=True)
    lease = networks.connect(record.id, names[0], _request(record, record.endpoints[names[0]]))
    return Connection(shown_lease(record, lease), lease.netns_fd, lease.held)


def shown_lease(record: Record, lease: Lease) -> Record:
    """The record with what the network chose, for as long as the container is connected."""
    name = next(iter(record.endpoints))
    settings = _shown(record.endpoints[name], lease.endpoint)
    if is_user_defined(name):
        settings = replace(settings, DNSNames=names_of(record, name))
    shown = {**record.endpoints, name: settings}
    return replaced(record, endpoints=shown, ports=dict(lease.ports), sandbox=record.id)


def _request(record: Record, settings: EndpointSettings) -> EndpointRequest:
    host_config = record.host_config
    bindings = host_config.PortBindings or {}
    exposed = record.config.ExposedPorts or {}
    return EndpointRequest(
        name=record.name,
        mac=settings.MacAddress or record.mac or record.config.MacAddress,
        address=settings.IPAMConfig.IPv4Address if settings.IPAMConfig else "",
        ports=publications(bindings, exposed, publish_all=host_config.PublishAllPorts),
        exposed=exposed_ports(exposed, bindings),
    )


def _shown(settings: EndpointSettings, endpoint: Endpoint) -> EndpointSettings:
    return replace(
        settings,
        NetworkID=endpoint.network_id,
        EndpointID=endpoint.endpoint_id,
        Gateway=endpoint.gateway,
        IPAddress=endpoint.address,
        IPPrefixLen=endpoint.prefix,
        MacAddress=endpoint.mac,
    )


def _with_ids(record: Record, networks: Networks) -> Record:
    """`host` and `none` have no address, and show the id of their network."""
    shown = {name: replace(settings, NetworkID=networks.find(name).id) for name, settings in record.endpoints.items()}
    return replaced(record, endpoints=shown, sandbox=record.id)
