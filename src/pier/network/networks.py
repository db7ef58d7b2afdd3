"""The networks of one daemon: which there are, who is connected, and the same kept true in the kernel.

*Theory of operation.* `start` makes the bridges and lays the rules; `restore` tells which containers still live, brings
the kernel's maps and links to that with the fewest changes, and opens the pool; then `connect` and `release` do the
daily work. `connect` on the default bridge touches no lock of rtnetlink: the slot is ready, the ports go into nftables
in one transaction. `release` takes the ports out at once and leaves links and addresses to the reaper.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

import msgspec

from pier.kernel import links, netns
from pier.kernel.netlink import NetlinkError
from pier.kernel.nftables import Element, Table, run_commands
from pier.network import bridges
from pier.network.addresses import parse_mac
from pier.network.bridge_network import BridgeNetwork
from pier.network.definitions import KIND, PREDEFINED, Definition, NetworkRequest, define
from pier.network.endpoints import EndpointRequest, Lease, StoredLease, bindings
from pier.network.leases import LeaseFiles
from pier.network.ports import PortAllocator, PortRefused, Ports, ephemeral_range
from pier.network.reaper import Dead, Reaper
from pier.network.rules import MAPS, difference, elements, table_text
from pier.network.slots import Maker, make_private
from pier.spec.errors import Conflict, Forbidden, InvalidParameter, NotFound, SystemFailure
from pier.store.records import Delete, Put, Records

_DYING = 0x5EED0000  # the link group of this package's dead; the low bits come from the instance's name


@dataclass(frozen=True, slots=True)
class Options:
    """What the daemon's flags say of the default bridge. `bridge` names one of the user's own; empty: the engine's."""

    instance: str
    leases: Path
    bridge: str = ""
    bip: str = ""
    pool: int = 8
    default_root: bool = False
    mtu: int = 0
    icc: bool = True

    @property
    def bridge_name(self) -> str:
        """The default network's link."""
        return self.bridge or ("pier0" if self.default_root else f"pier-{self.instance}"[:15])


class Networks:
    """Every network of a daemon.

    Plain functions, thread-safe. `now` gives RFC 3339 text, `random_hex` that many digits.
    """

    def __init__(
        self, records: Records, options: Options, *, now: Callable[[], str], random_hex: Callable[[int], str]
    ) -> None:
        self._records, self._options, self._now, self._random = records, options, now, random_hex
        self._lock = threading.RLock()
        self._definitions: dict[str, Definition] = {}
        self._bridges: dict[str, BridgeNetwork] = {}
        self._leases: dict[str, Lease] = {}
        self._taken: dict[str, Ports] = {}
        self._bridged_nat = False
        self._files = LeaseFiles(options.leases)
        self._host = links.open_route()
        self._table = Table(f"pier-{options.instance}")
        self._maker = Maker()
        self._reaper = Reaper(self._host, _DYING | int(options.instance[:4], 16))
        self._ports = PortAllocator(ephemeral_range(netns.read_sysctl("net/ipv4/ip_local_port_range")))

    # the daemon's life

    def start(self) -> None:
        """Make bridges and rules. Containers cannot be connected before `restore`."""
        bridges.forward_packets()
        self._bridged_nat = bridges.packets_pass_filters()
        stored = self._records.load(KIND)
        self._definitions = {key: msgspec.json.decode(text, type=Definition) for key, text in stored.items()}
        self._define_predefined()
        for definition in self._definitions.values():
            if definition.driver == "bridge":
                self._raise_bridge(definition)
        self._lay_rules()

    def restore(self, alive: Mapping[str, StoredLease] | None = None) -> None:
        """Know the living containers again and remove what is left of the others, touching only differences.

        `alive` maps the ids of containers that still run to their leases; `stored` has them.
        """
        stored = self._files.load()
        living = dict(alive or {})
        for container_id, lease in living.items():
            self._adopt(container_id, stored.get(container_id, lease))
        self._reconcile_elements()
        self._bury_strangers()
        for container_id in stored.keys() - living.keys():
            self._files.forget(container_id)
        for network in self._bridges.values():
            if network.definition.name == "bridge":
                network.start_pool(self._options.pool)

    def stored(self) -> dict[str, StoredLease]:
        """Return the leases that an earlier daemon on this host left, by container."""
        return self._files.load()

    def close(self) -> None:
        """Let go. With no container connected, the table and the bridges that Pier made go too."""
        with self._lock:
            for network in self._bridges.values():
                network.stop_pool()
            self._maker.close()
            self._reaper.close()
            if not self._leases:
                self._table.delete()
                for network in self._bridges.values():
                    if network.definition.made:
                        bridges.remove(self._host, network.definition.bridge)
            for taken in self._taken.values():
                taken.close()
            self._table.close()
            self._host.close()

    # containers

    def connect(self, container_id: str, network: str, request: EndpointRequest) -> Lease:
        """Give a container its place in a network. The lease's descriptors stay this object's until `release`."""
        place = self._bridge_network(network)
        mac = parse_mac(request.mac) if request.mac else None
        with self._lock:
            if container_id in self._leases:
                raise Forbidden(f"container {container_id[:12]} is already connected to network {network}")
        slot = place.claim(request, mac)
        if request.ports and self._bridged_nat:
            self._host.attempt([links.set_hairpin(slot.link)])
        endpoint = place.endpoint(slot, self._random(64))
        try:
            taken = self._publish(container_id, request, endpoint.endpoint_id, endpoint.address)
        except BaseException:
            place.discard(slot)
            raise
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
        try:
            self._enter(lease, taken)
        except BaseException:
            self._ports.give(taken)
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
        self._remove_elements(elements(lease.mappings, lease.endpoint.address))
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
            return tuple(sorted(self._definitions.values(), key=lambda definition: definition.created))

    def find(self, name: str) -> Definition:
        """Return the network with that id, name or unambiguous short id. NotFound otherwise."""
        with self._lock:
            if exact := self._definitions.get(name):
                return exact
            named = [one for one in self._definitions.values() if one.name == name]
            short = named or [one for one in self._definitions.values() if name and one.id.startswith(name)]
        if len(short) > 1:
            raise InvalidParameter(f"network {name} is ambiguous ({len(short)} matches found on ID prefix)")
        if not short:
            raise NotFound(f"network {name} not found")
        return short[0]

    def connected(self, network_id: str) -> tuple[Lease, ...]:
        """Return the leases of a network."""
        with self._lock:
            return tuple(lease for lease in self._leases.values() if lease.endpoint.network_id == network_id)

    def create(self, request: NetworkRequest) -> Definition:
        """Make a network of the user's own. Durable when it returns."""
        with self._lock:
            if request.name not in PREDEFINED and any(one.name == request.name for one in self._definitions.values()):
                raise Conflict(f"network with name {request.name} already exists")
            in_use = bridges.subnets_in_use(self._host)
            definition = define(request, self._random(64), self._now(), in_use, self._mtu())
            if links.find_link(self._host, definition.bridge) is not None:
                raise Conflict(f"bridge name {definition.bridge} is already in use")
            self._records.write(self._put(definition)).result()
            self._definitions[definition.id] = definition
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
            definition = self.find(name)
            if definition.name in PREDEFINED:
                raise Forbidden(f"{definition.name} is a pre-defined network and cannot be removed")
            if self.connected(definition.id):
                words = f"network {definition.name} id {definition.id} has active endpoints"
                raise Forbidden(f"error while removing network: {words}")
            self._drop(definition)
        return definition

    def _drop(self, definition: Definition) -> None:
        self._definitions.pop(definition.id, None)
        self._bridges.pop(definition.id, None)
        self._lay_rules()
        self._reaper.drain()
        bridges.remove(self._host, definition.bridge)
        self._records.write(Delete(KIND, definition.id)).result()

    def _bridge_network(self, name: str) -> BridgeNetwork:
        definition = self.find(name)
        place = self._bridges.get(definition.id)
        if place is None:
            raise Forbidden(f"container cannot be connected to {definition.driver} network {definition.name}")
        return place

    # start

    def _define_predefined(self) -> None:
        present = {one.name: one for one in self._definitions.values()}
        for name, driver in (("host", "host"), ("none", "null")):
            if name not in present:
                self._keep(Definition(id=self._random(64), name=name, driver=driver, created=self._now()))
        old = present.get("bridge")
        new = self._default_bridge(old)
        if new != old:
            self._keep(new)

    def _keep(self, definition: Definition) -> None:
        self._definitions[definition.id] = definition
        self._records.write(self._put(definition)).result()

    def _default_bridge(self, old: Definition | None) -> Definition:
        name = self._options.bridge_name
        interface = bridges.parse_bip(self._options.bip) if self._options.bip else None
        present = bridges.address_of(self._host, name)
        interface = interface or present
        if interface is None and old is not None and old.bridge == name and not old.configured:
            interface = self._if_free(old, name)
        if interface is None:
            subnet = bridges.free_subnet(bridges.subnets_in_use(self._host, without=name))
            interface = bridges.interface_in(subnet)
        made_before = old is not None and old.bridge == name and old.made
        made = not self._options.bridge or made_before or links.find_link(self._host, name) is None
        return Definition(
            id=old.id if old else self._random(64),
            name="bridge",
            driver="bridge",
            created=old.created if old else self._now(),
            bridge=name,
            subnet=str(interface.network),
            gateway=str(interface.ip),
            mtu=self._mtu(),
            icc=self._options.icc,
            made=made,
        )

    def _if_free(self, old: Definition, name: str) -> IPv4Interface | None:
        taken = bridges.subnets_in_use(self._host, without=name)
        return None if any(old.interface.network.overlaps(one) for one in taken) else old.interface

    def _mtu(self) -> int:
        return self._options.mtu or bridges.outward_mtu(self._host)

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
        segments = [network.definition.segment() for network in self._bridges.values()]
        text = table_text(self._table.name, segments)
        try:
            run_commands(text)
        except OSError:
            try:  # maps of an older Pier's shape: all anew in one transaction, then the elements of who is connected
                run_commands(f"add table ip {self._table.name}\ndelete table ip {self._table.name}\n{text}")
                self._reconcile_elements()
            except OSError as error:
                raise SystemFailure(f"packet rules cannot be laid: {error.strerror}") from error

    # the kernel's state

    def _adopt(self, container_id: str, lease: StoredLease) -> None:
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

    def _reconcile_elements(self) -> None:
        with self._lock:
            desired = [
                element
                for lease in self._leases.values()
                for element in elements(lease.mappings, lease.endpoint.address)
            ]
        present = [element for name in MAPS for element in self._table.elements(name)]
        add, remove = difference(desired, present)
        self._table.change(add=add, remove=remove)

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

    def _publish(self, container_id: str, request: EndpointRequest, endpoint_id: str, address: str) -> Ports:
        try:
            return self._ports.take(request.ports, address)
        except PortRefused as error:
            name = request.name.removeprefix("/") or container_id[:12]
            words = f"driver failed programming external connectivity on endpoint {name} ({endpoint_id})"
            raise SystemFailure(f"{words}: {error.message}") from None

    def _enter(self, lease: Lease, taken: Ports) -> None:
        with self._lock:
            if lease.container_id in self._leases:
                raise Conflict(f"container {lease.container_id[:12]} is already connected")
            self._leases[lease.container_id] = lease
            self._taken[lease.container_id] = taken
        try:
            self._files.write(lease.stored())
            self._table.change(add=elements(taken.mappings, lease.endpoint.address))
        except OSError as error:
            with self._lock:
                del self._leases[lease.container_id], self._taken[lease.container_id]
            self._files.forget(lease.container_id)
            raise SystemFailure(f"network of {lease.name or lease.container_id}: {error.strerror}") from error

    def _remove_elements(self, gone: Sequence[Element]) -> None:
        try:
            self._table.change(remove=gone)
        except NetlinkError:  # one of them, or the whole table, was flushed by someone else: take out what is left
            for element in gone:
                with suppress(NetlinkError):
                    self._table.change(remove=(element,))

    @staticmethod
    def _put(definition: Definition) -> Put:
        return Put(KIND, definition.id, msgspec.json.encode(definition))
