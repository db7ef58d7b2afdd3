"""The networks of one daemon: which there are, who is connected, and the same kept true in the kernel.

*Theory of operation.* `start` makes the bridges and lays the rules; `restore` tells which containers still live, brings
the kernel's maps and links to that with the fewest changes, and opens the pool; then `connect` and `release` do the
daily work. `connect` on the default bridge waits for no lock of rtnetlink: the slot is ready, the ports go into
nftables in one transaction. `release` takes the ports out at once and leaves links and addresses to the reaper.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from ipaddress import IPv4Address

from pier.kernel import links, netns
from pier.kernel.nftables import Element
from pier.network import bridges
from pier.network.addresses import parse_mac
from pier.network.bridge_network import BridgeNetwork
from pier.network.catalogue import Catalogue
from pier.network.definitions import PREDEFINED, Definition, NetworkRequest, Surroundings, define
from pier.network.endpoints import EndpointRequest, Lease, StoredLease, bindings
from pier.network.leases import LeaseFiles
from pier.network.options import Options, default_bridge
from pier.network.packets import PacketRules
from pier.network.ports import PortAllocator, PortRefused, Ports, ephemeral_range
from pier.network.reaper import Dead, Reaper
from pier.network.rules import elements
from pier.network.slots import Maker, make_private
from pier.spec.errors import Conflict, Forbidden, NotFound, SystemFailure
from pier.store.records import Records

__all__ = ["Networks", "Options"]

log = logging.getLogger("pier.network")

_DYING = 0x5EED0000  # the link group of this package's dead; the low bits come from the instance's name


class Networks:
    """Every network of a daemon. Plain functions, thread-safe.

    `now` gives RFC 3339 text, `random_hex` as many hexadecimal digits as asked.
    """

    def __init__(
        self, records: Records, options: Options, *, now: Callable[[], str], random_hex: Callable[[int], str]
    ) -> None:
        self._options, self._random = options, random_hex
        self._lock = threading.RLock()
        self._catalogue = Catalogue(records, now=now, random_hex=random_hex)
        self._bridges: dict[str, BridgeNetwork] = {}
        self._leases: dict[str, Lease] = {}
        self._taken: dict[str, Ports] = {}
        self._files = LeaseFiles(options.leases)
        self._host = links.open_route()
        self._packets = PacketRules(f"pier-{options.instance}", self._desired)
        self._maker = Maker()
        self._reaper = Reaper(self._host, _DYING | int(options.instance[:4], 16))
        self._ports = PortAllocator(ephemeral_range(netns.read_sysctl("net/ipv4/ip_local_port_range")))
        self._bridged_nat = bridges.packets_pass_filters()
        self._closed = False

    # the daemon's life

    def start(self) -> None:
        """Make bridges and rules. Containers cannot be connected before `restore`."""
        bridges.forward_packets()
        self._catalogue.add_endless()
        old = self._catalogue.named("bridge")
        default = default_bridge(self._host, self._options, old, self._catalogue.identity(old))
        if default != old:
            self._catalogue.keep(default)
        for definition in self._catalogue.list():
            if definition.driver == "bridge":
                self._raise_bridge(definition)
        self._lay_rules()

    def stored(self) -> dict[str, StoredLease]:
        """Return the leases that an earlier daemon on this host left, by container."""
        return self._files.load()

    def restore(self, alive: Mapping[str, StoredLease] | None = None) -> None:
        """Know the living containers again and remove what is left of the others, touching only differences.

        `alive` maps the ids of containers that still run to their leases; `stored` has them.
        """
        living = dict(alive or {})
        for container_id, lease in living.items():
            try:
                self._adopt(container_id, lease)
            except Exception as error:  # one lease that fits no network any more does not keep the daemon down
                self._leases.pop(container_id, None)
                log.error("the addresses of container %s cannot be held again: %s", container_id, error)
        self._packets.reconcile()
        self._bury_strangers()
        for container_id in self._files.load().keys() - living.keys():
            self._files.forget(container_id)
        default = self._catalogue.find("bridge")
        self._bridges[default.id].start_pool(self._options.pool)

    def close(self) -> None:
        """Let go. With no container connected, the table and the bridges that Pier made go too. Twice is harmless."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            for network in self._bridges.values():
                network.stop_pool()
            self._maker.close()
            self._reaper.close()
            self._packets.close(remove=not self._leases)
            if not self._leases:
                for network in self._bridges.values():
                    if network.definition.made:
                        bridges.remove(self._host, network.definition.bridge)
            for taken in self._taken.values():
                taken.close()
            self._host.close()

    # containers

    def connect(self, container_id: str, network: str, request: EndpointRequest) -> Lease:
        """Give a container its place in a network. The lease's descriptors stay this object's until `release`."""
        place = self._bridge_network(network)
        mac = parse_mac(request.mac) if request.mac else None
        self._check_free(container_id)
        slot = place.claim(request, mac)
        try:
            if request.ports and self._bridged_nat:
                self._host.attempt([links.set_hairpin(slot.link)])
            endpoint = place.endpoint(slot, self._random(64))
            wishes = _bound(request, place.definition.host_binding)
            taken = self._take_ports(container_id, wishes, endpoint.endpoint_id, endpoint.address)
            try:
                exposed = tuple(str(port) for port in request.exposed)
                lease = Lease(
                    container_id=container_id,
                    name=request.name,
                    endpoint=endpoint,
                    netns_fd=slot.netns_fd,
                    ports=bindings(taken.mappings, exposed),
                    held=tuple(one.fileno() for one in taken.held),
                    mappings=taken.mappings,
                    exposed=exposed,
                )
                self._enter(lease, taken)
            except BaseException:
                self._ports.give(taken)
                raise
        except BaseException:
            place.discard(slot)
            raise
        return lease

    def private(self) -> int:
        """Return a namespace of its own with only the loopback, for `none`. The caller closes the descriptor."""
        try:
            return self._maker.do(make_private).result()
        except OSError as error:
            raise SystemFailure(f"failed to create a network namespace: {error.strerror}") from error

    def release(self, container_id: str) -> None:
        """Take a container's ports out at once, its link with the next batch, its address after that.

        No lease is no error.
        """
        with self._lock:
            lease = self._leases.pop(container_id, None)
            taken = self._taken.pop(container_id, None)
        if lease is None:
            return
        self._packets.withdraw(lease.mappings, lease.endpoint.address)
        self._ports.give(taken or Ports(lease.mappings))
        self._files.forget(container_id)
        place = self._bridges.get(lease.endpoint.network_id)
        if place is not None:
            place.bury(lease.endpoint.link, lease.netns_fd, lease.endpoint.address)

    def lease(self, container_id: str) -> Lease | None:
        """Return what a connected container has."""
        return self._leases.get(container_id)

    def settle(self) -> None:
        """Return when every released link is gone."""
        self._reaper.drain()

    # networks

    def list(self) -> tuple[Definition, ...]:
        """Return every network, oldest first."""
        with self._lock:
            return self._catalogue.list()

    def find(self, name: str) -> Definition:
        """Return the network with that id, name or unambiguous short id. NotFound otherwise."""
        with self._lock:
            return self._catalogue.find(name)

    def connected(self, network_id: str) -> tuple[Lease, ...]:
        """Return the leases of a network."""
        with self._lock:
            return tuple(lease for lease in self._leases.values() if lease.endpoint.network_id == network_id)

    def _surroundings(self) -> Surroundings:
        mtu = self._options.mtu or bridges.outward_mtu(self._host)
        return Surroundings(bridges.subnets_in_use(self._host), self._options.pools, mtu)

    def create(self, request: NetworkRequest) -> Definition:
        """Make a network of the user's own. Durable when it returns."""
        with self._lock:
            if request.name not in PREDEFINED and self._catalogue.named(request.name):
                raise Conflict(f"network with name {request.name} already exists")
            definition = define(request, *self._catalogue.identity(), self._surroundings())
            if links.find_link(self._host, definition.bridge) is not None:
                raise Conflict(f"bridge name {definition.bridge} is already in use")
            self._catalogue.keep(definition)
            try:
                self._raise_bridge(definition)
                self._lay_rules()
            except BaseException:
                self._drop(definition)
                raise
        return definition

    def remove(self, name: str) -> Definition:
        """Take a network away. Forbidden for one of Docker's own or with containers."""
        with self._lock:
            definition = self._catalogue.find(name)
            if definition.name in PREDEFINED:
                raise Forbidden(f"{definition.name} is a pre-defined network and cannot be removed")
            if self.connected(definition.id):
                words = f"network {definition.name} id {definition.id} has active endpoints"
                raise Forbidden(f"error while removing network: {words}")
            self._drop(definition)
        return definition

    def _drop(self, definition: Definition) -> None:
        self._bridges.pop(definition.id, None)
        self._lay_rules()
        self._reaper.drain()
        bridges.remove(self._host, definition.bridge)
        self._catalogue.forget(definition)

    def _bridge_network(self, name: str) -> BridgeNetwork:
        definition = self.find(name)
        place = self._bridges.get(definition.id)
        if place is None:
            raise Forbidden(f"container cannot be connected to {definition.driver} network {definition.name}")
        return place

    def _raise_bridge(self, definition: Definition) -> None:
        try:
            bridge = bridges.ensure(self._host, definition.bridge, definition.interface, definition.mtu)
            if definition.made:
                bridges.readdress(self._host, definition.bridge, definition.interface)
        except OSError as error:
            raise SystemFailure(f"bridge {definition.bridge} cannot be made: {error.strerror}") from error
        self._bridges[definition.id] = BridgeNetwork(
            definition, bridge, self._host, self._maker, self._reaper, self._random
        )

    def _lay_rules(self) -> None:
        self._packets.lay([network.definition.segment() for network in self._bridges.values()])

    def _desired(self) -> tuple[Element, ...]:
        """The elements of every connected container. Takes no lock: the guard of the rules asks with its own held."""
        leases = tuple(self._leases.values())
        return tuple(one for lease in leases for one in elements(lease.mappings, lease.endpoint.address))

    def _adopt(self, container_id: str, lease: StoredLease) -> None:
        if lease.endpoint.address:
            IPv4Address(lease.endpoint.address)  # what is no address would spoil the rules of all
        with self._lock:
            self._leases[container_id] = Lease(
                container_id=container_id,
                name=lease.name,
                endpoint=lease.endpoint,
                netns_fd=-1,
                ports=bindings(lease.mappings, lease.exposed),
                mappings=lease.mappings,
                exposed=lease.exposed,
            )
        self._ports.adopt(lease.mappings)
        if place := self._bridges.get(lease.endpoint.network_id):
            place.adopt(lease.endpoint)

    def _bury_strangers(self) -> None:
        """Links on our own bridges that belong to no living container: their owners died while no daemon looked."""
        known = {lease.endpoint.link for lease in self._leases.values()}
        for network in self._bridges.values():
            if not network.definition.made:
                continue
            for link in bridges.ports_of(self._host, network.bridge.index):
                if link.kind == "veth" and link.name.startswith("veth") and link.name not in known:
                    self._reaper.bury(Dead(link.name, -1, lambda: None))
        self._reaper.drain()

    def _check_free(self, container_id: str) -> None:
        with self._lock:
            if container_id in self._leases:
                raise Conflict(f"container {container_id[:12]} is already connected to a network")

    def _take_ports(self, container_id: str, request: EndpointRequest, endpoint_id: str, address: str) -> Ports:
        try:
            return self._ports.take(request.ports, address)
        except PortRefused as error:
            name = request.name.removeprefix("/") or container_id[:12]
            words = f"driver failed programming external connectivity on endpoint {name} ({endpoint_id})"
            raise SystemFailure(f"{words}: {error.message}") from None

    def _enter(self, lease: Lease, taken: Ports) -> None:
        """Write the lease down, then open its ports."""
        with self._lock:
            self._check_free(lease.container_id)
            if lease.endpoint.network_id not in self._bridges:  # it was removed while the container was on its way
                raise NotFound(f"network {lease.endpoint.network_id} not found")
            self._leases[lease.container_id] = lease
            self._taken[lease.container_id] = taken
        try:
            self._files.write(lease.stored())
            self._packets.publish(taken.mappings, lease.endpoint.address)
        except OSError as error:
            with self._lock:
                del self._leases[lease.container_id], self._taken[lease.container_id]
            self._files.forget(lease.container_id)
            raise SystemFailure(f"network of {lease.name or lease.container_id}: {error.strerror}") from error


def _bound(request: EndpointRequest, address: str) -> EndpointRequest:
    """The request with the network's own address of the host for the ports that name none."""
    if address in ("", "0.0.0.0") or not request.ports:
        return request
    return replace(request, ports=tuple(replace(port, address=port.address or address) for port in request.ports))
