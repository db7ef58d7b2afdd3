"""Slots: network namespaces that stand ready, with a veth pair, addresses and a route, for containers that come.

*Theory of operation.* One thread makes all namespaces: unshare(2) moves only the calling thread, and the thread returns
to the host's namespace after each. It keeps the default bridge's pool full, after a short rest, so that the container
which has just taken a slot starts undisturbed; when the pool is nearly empty it does not rest. A slot is given once and
never reused: a used namespace holds the sockets, sysctls and connections of its last owner.
"""

import os
import queue
import socket
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TypeVar

from pier.kernel import links, netns
from pier.kernel.netlink import Netlink

Result = TypeVar("Result")

_REST_SECONDS = 0.03
_INSIDE = "eth0"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a slot belongs: the bridge's index and what its containers need to know."""

    bridge: int
    gateway: IPv4Address
    prefix: int
    mtu: int
    internal: bool = False


@dataclass(slots=True)
class Slot:
    """A ready namespace. `inside` is an rtnetlink socket within it, there until the slot is claimed."""

    netns_fd: int
    link: str
    address: IPv4Address
    mac: bytes
    inside: Netlink

    def claim(self, mac: bytes | None) -> None:
        """Settle the last details for the container that takes the slot."""
        if mac is not None and mac != self.mac:
            self.inside.request(links.set_mac(_INSIDE, mac))
            self.mac = mac
        self.inside.close()

    def close(self) -> None:
        """Let go of the namespace; the kernel removes what nothing else holds."""
        self.inside.close()
        os.close(self.netns_fd)


class Maker:
    """The thread that makes namespaces, by order."""

    def __init__(self) -> None:
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="namespaces", daemon=True)
        self._thread.start()

    def do(self, work: Callable[[], Result]) -> Future[Result]:
        """Run `work` in the thread, which may change its network namespace: it comes back by itself."""
        done: Future[Result] = Future()

        def serve() -> None:
            try:
                with netns.Outside():
                    result = work()
            except BaseException as error:
                done.set_exception(error)
            else:
                done.set_result(result)

        self._orders.put(serve)
        return done

    def close(self) -> None:
        """Finish what was ordered and end the thread."""
        self._orders.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (order := self._orders.get()) is not None:
            order()


def make_private() -> int:
    """Make a namespace with only its loopback up. To be run by a `Maker`."""
    descriptor = netns.unshare()
    try:
        with links.open_route() as inside:
            _prepare()
            inside.request(links.set_up("lo"))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def make_slot(host: Netlink, place: Place, address: IPv4Address, link: str, mac: bytes) -> Slot:
    """Make a slot on a bridge.

    To be run by a `Maker`; `host` is a socket in the host's namespace. Cleans up after a failure.
    """
    descriptor = netns.unshare()
    inside: Netlink | None = None
    try:
        inside = links.open_route()
        _prepare()
        host.request(links.new_veth(link, links.Peer(_INSIDE, descriptor, mac), mtu=place.mtu))
        host.request(links.without_addresses_of_its_own(link), links.enslave(link, place.bridge))
        index = socket.if_nametoindex(_INSIDE)
        requests = [
            links.set_up("lo"),
            links.set_up(_INSIDE),
            links.add_address(index, address.packed, place.prefix),
        ]
        if not place.internal:
            requests.append(links.add_default_route(place.gateway.packed))
        inside.request(*requests)
    except BaseException:
        if inside is not None:
            inside.close()
        os.close(descriptor)
        with suppress(OSError):
            host.request(links.delete_link(link))
        raise
    return Slot(descriptor, link, address, mac, inside)


def _prepare() -> None:
    """Settings of a container's namespace before any link is in it: no IPv6 on a network without (CVE-2024-32473)."""
    with suppress(FileNotFoundError):  # a host without IPv6
        netns.write_sysctl("net/ipv6/conf/default/disable_ipv6", "1")
    netns.write_sysctl("net/ipv4/ping_group_range", "0 2147483647")
    netns.write_sysctl("net/ipv4/ip_unprivileged_port_start", "0")


class Pool:
    """Slots made ahead. `make` gives one more, or None when the network has no address left."""

    def __init__(self, maker: Maker, make: Callable[[], Slot | None], size: int) -> None:
        self._maker, self._make, self._size = maker, make, size
        self._ready: deque[Slot] = deque()
        self._wake = threading.Event()
        self._claimed = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._refill, name="slots", daemon=True)
        self._wake.set()
        self._thread.start()

    def take(self) -> Slot | None:
        """Return a ready slot, or None when there is none just now."""
        try:
            slot = self._ready.popleft()
        except IndexError:
            return None
        finally:
            self._claimed.set()
            self._wake.set()
        return slot

    def close(self) -> list[Slot]:
        """Stop making slots and return those left."""
        self._closed.set()
        self._claimed.set()
        self._wake.set()
        self._thread.join()
        left = list(self._ready)
        self._ready.clear()
        return left

    def _refill(self) -> None:
        while not self._closed.is_set():
            self._wake.wait()
            self._wake.clear()
            while not self._closed.is_set() and len(self._ready) < self._size:
                self._rest()
                if self._closed.is_set() or not self._add():
                    break

    def _rest(self) -> None:
        """Wait until no slot has been taken for a moment, unless few are left."""
        while not self._closed.is_set() and len(self._ready) > self._size // 2:
            self._claimed.clear()
            if not self._claimed.wait(_REST_SECONDS):
                return

    def _add(self) -> bool:
        try:
            slot = self._maker.do(self._make).result()
        except Exception:  # the next claim makes its own slot and reports what is wrong
            return False
        if slot is None:
            return False
        self._ready.append(slot)
        return True
