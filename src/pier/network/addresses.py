"""Which addresses of a network are free. Pure bookkeeping; the kernel is asked elsewhere."""

import heapq
from ipaddress import IPv4Address, IPv4Network

from pier.spec.errors import Conflict, InvalidParameter, Unavailable


class AddressSpace:
    """The host addresses of a subnet (or of `pool` inside it) without the gateway.

    Not thread-safe: its network locks.
    """

    def __init__(self, subnet: IPv4Network, gateway: IPv4Address, pool: IPv4Network | None = None) -> None:
        self.subnet = subnet
        self.gateway = gateway
        self._first, self._last = _ends(subnet, pool or subnet)
        self._next = self._first
        self._returned: list[int] = []
        self._taken: set[int] = {int(gateway)}

    def __len__(self) -> int:
        """How many addresses are taken, the gateway's not counted."""
        return len(self._taken) - 1

    def take(self) -> IPv4Address:
        """Take the lowest free address. Unavailable when there is none."""
        while self._returned:
            value = heapq.heappop(self._returned)
            if value not in self._taken:
                return self._mark(value)
        while self._next <= self._last:
            value = self._next
            self._next += 1
            if value not in self._taken:
                return self._mark(value)
        raise Unavailable("no available IPv4 addresses on this network's address pools")

    def take_this(self, text: str) -> IPv4Address:
        """Take the address a user asks for.

        Conflict when it is in use, InvalidParameter when it is not of the subnet.
        """
        try:
            address = IPv4Address(text)
        except ValueError:
            raise InvalidParameter(f"invalid IPv4 address: {text}") from None
        edge = address in (self.subnet.network_address, self.subnet.broadcast_address)
        if address not in self.subnet or edge:
            raise InvalidParameter(f"invalid address {text}: it does not belong to the subnet {self.subnet}")
        if int(address) in self._taken:
            raise Conflict("Address already in use")
        return self._mark(int(address))

    def give(self, address: IPv4Address) -> None:
        """Give an address back; one that is not taken is no error."""
        value = int(address)
        if value in self._taken and value != int(self.gateway):
            self._taken.discard(value)
            if self._first <= value < self._next:
                heapq.heappush(self._returned, value)

    def _mark(self, value: int) -> IPv4Address:
        self._taken.add(value)
        return IPv4Address(value)


def _ends(subnet: IPv4Network, pool: IPv4Network) -> tuple[int, int]:
    """First and last address of the pool that a host may have: not the subnet's own nor its broadcast address."""
    first, last = int(pool.network_address), int(pool.broadcast_address)
    if subnet.prefixlen < 31:
        first = max(first, int(subnet.network_address) + 1)
        last = min(last, int(subnet.broadcast_address) - 1)
    return first, last


def mac_of(address: IPv4Address) -> bytes:
    """The hardware address that belongs to an IPv4 address: the same for every container that ever has it."""
    return b"\x02\x42" + address.packed


def parse_mac(text: str) -> bytes:
    """Return the six bytes of `02:42:ac:11:00:02`. InvalidParameter when it is no address of one station."""
    try:
        value = bytes.fromhex(text.replace("-", ":").replace(":", ""))
    except ValueError:
        value = b""
    if len(value) != 6 or len(text) != 17 or value[0] & 1 or not any(value):
        raise InvalidParameter(f"invalid MAC address: {text}")
    return value


def show_mac(value: bytes) -> str:
    """Return a hardware address in Docker's spelling."""
    return value.hex(":")
