"""One bridge network at work: its bridge in the kernel, its free addresses, its slots."""

import threading
from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network

from pier.kernel.netlink import Netlink
from pier.network.addresses import AddressSpace, mac_of
from pier.network.bridges import Bridge
from pier.network.definitions import Definition
from pier.network.endpoints import Endpoint, EndpointRequest
from pier.network.reaper import Dead, Reaper
from pier.network.slots import Maker, Place, Pool, Slot, make_slot
from pier.spec.errors import InvalidParameter, PierError, SystemFailure, Unavailable

_NO_ADDRESS_HERE = {
    True: "user specified IP address is supported on user defined networks only",
    False: "user specified IP address is supported only when connecting to networks with user configured subnets",
}


class BridgeNetwork:
    """Gives places in one bridge network. Thread-safe."""

    def __init__(
        self,
        definition: Definition,
        bridge: Bridge,
        host: Netlink,
        maker: Maker,
        reaper: Reaper,
        random_hex: Callable[[int], str],
    ) -> None:
        self.definition = definition
        self.bridge = bridge
        subnet = IPv4Network(definition.subnet)
        pool = IPv4Network(definition.ip_range) if definition.ip_range else None
        self._addresses = AddressSpace(subnet, IPv4Address(definition.gateway), pool)
        for text in definition.reserved.values():
            self._addresses.take_this(text)
        self._place = Place(
            bridge.index, self._addresses.gateway, subnet.prefixlen, definition.mtu, definition.internal
        )
        self._host, self._maker, self._reaper, self._random = host, maker, reaper, random_hex
        self._lock = threading.Lock()
        self._pool: Pool | None = None

    def start_pool(self, size: int) -> None:
        """Begin to make slots ahead. To be called when the addresses of living containers are known."""
        if size:
            self._pool = Pool(self._maker, self._make_ahead, size)

    def stop_pool(self) -> None:
        """End the pool and let its slots go."""
        if self._pool is not None:
            for slot in self._pool.close():
                self.discard(slot)
            self._pool = None

    def claim(self, request: EndpointRequest, mac: bytes | None) -> Slot:
        """Return a slot as the request wishes it, from the pool when it has no wish for its address."""
        slot = None
        if not request.address and self._pool is not None:
            slot = self._pool.take()
        if slot is None:
            slot = self._make(request.address)
        try:
            slot.claim(mac)
        except BaseException:
            self.discard(slot)
            raise
        return slot

    def discard(self, slot: Slot) -> None:
        """Let a slot go; its address is free when its link is gone."""
        slot.inside.close()
        self.bury(slot.link, slot.netns_fd, str(slot.address))

    def bury(self, link: str, netns_fd: int, address: str) -> None:
        """Have a link deleted with the next batch, and only then give its address back."""
        self._reaper.bury(Dead(link, netns_fd, lambda: self._give(IPv4Address(address))))

    def adopt(self, endpoint: Endpoint) -> None:
        """Count the address of a container that outlived the daemon as taken."""
        with self._lock:
            try:
                self._addresses.take_this(endpoint.address)
            except PierError:  # of an earlier subnet, or named twice: nothing to keep free
                return

    def endpoint(self, slot: Slot, identity: str) -> Endpoint:
        """Describe the place that a slot gives."""
        return Endpoint(
            network_id=self.definition.id,
            endpoint_id=identity,
            address=str(slot.address),
            prefix=self._place.prefix,
            gateway="" if self.definition.internal else self.definition.gateway,
            mac=slot.mac.hex(":"),
            link=slot.link,
        )

    def _make(self, wanted: str) -> Slot:
        if wanted and not self.definition.configured:
            raise InvalidParameter(_NO_ADDRESS_HERE[self.definition.name == "bridge"])
        with self._lock:
            address = self._addresses.take_this(wanted) if wanted else self._take()
        return self._make_at(address)

    def _take(self) -> IPv4Address:
        try:
            return self._addresses.take()
        except Unavailable as error:
            name, identity = self.definition.name, self.definition.id
            raise SystemFailure(f"{error.message}: {name} ({identity})") from None

    def _make_ahead(self) -> Slot | None:
        with self._lock:
            try:
                address = self._addresses.take()
            except Unavailable:
                return None
        return self._build(address)

    def _make_at(self, address: IPv4Address) -> Slot:
        try:
            return self._maker.do(lambda: self._build(address)).result()
        except OSError as error:
            words = f"failed to create endpoint on network {self.definition.name}: {error.strerror}"
            raise SystemFailure(words) from error

    def _build(self, address: IPv4Address) -> Slot:
        """In the maker's thread: a slot at the address, or the address given back."""
        try:
            return make_slot(self._host, self._place, address, "veth" + self._random(7), mac_of(address))
        except BaseException:
            self._give(address)
            raise

    def _give(self, address: IPv4Address) -> None:
        with self._lock:
            self._addresses.give(address)
