"""Host ports: which are given to whom, and the bound sockets that hold them.

A single port is held by a bound socket, deaf behind a filter: other programs are refused it and `ss` shows it, while
the traffic itself never reaches the socket. Ranges longer than `rules.LONG_RANGE` are checked by one dump of the host's
sockets instead and not held (descriptors are limited).
"""

import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address

from pier.kernel.sockdiag import taken_ports
from pier.kernel.sockets import drop_everything
from pier.network.endpoints import Mapping
from pier.network.rules import LONG_RANGE
from pier.spec.errors import PierError
from pier.spec.ports import Publication

_TYPES = {"tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP), "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP)}
_HANDOVER_SECONDS = 1.0  # a keeper that just reported its exit may hold the port for some milliseconds yet
_REASONS = {
    errno.EADDRINUSE: "address already in use",
    errno.EADDRNOTAVAIL: "cannot assign requested address",
    errno.EACCES: "permission denied",
}


class PortRefused(PierError):
    """A host port cannot be had; the message is the end of Docker's sentence."""


@dataclass(slots=True)
class Ports:
    """What a container got: mappings, and the sockets that hold them."""

    mappings: tuple[Mapping, ...] = ()
    held: list[socket.socket] = field(default_factory=list)

    def close(self) -> None:
        """Close this process's copies of the sockets."""
        for one in self.held:
            one.close()
        self.held.clear()


class PortAllocator:
    """Gives host ports to containers. Thread-safe."""

    def __init__(self, ephemeral: tuple[int, int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._ephemeral = ephemeral
        self._last: dict[tuple[str, str], int] = {}
        self._given: dict[tuple[str, int], set[str]] = {}
        self._released: dict[tuple[str, int], float] = {}
        self._clock = clock
        self._lock = threading.Lock()

    def take(self, wishes: Sequence[Publication], container_address: str) -> Ports:
        """Give every wish a host port and hold it. PortRefused, with nothing taken, when one cannot be had."""
        taken = Ports()
        if not wishes:
            return taken
        try:
            for run in _runs(wishes):
                taken.mappings += self._take_run(run, taken.held, container_address)
        except BaseException:
            self.give(taken)
            raise
        return taken

    def give(self, taken: Ports) -> None:
        """Give ports back and close what holds them here."""
        taken.close()
        now = self._clock()
        with self._lock:
            self._released = {key: at for key, at in self._released.items() if now - at < _HANDOVER_SECONDS}
            for mapping in taken.mappings:
                for number in range(mapping.first, mapping.last + 1):
                    self._forget(mapping.protocol, number, mapping.address)
                    self._released[mapping.protocol, number] = now

    def adopt(self, mappings: Iterable[Mapping]) -> None:
        """Count the ports of a container that outlived the daemon as given; its keeper holds the sockets."""
        with self._lock:
            for mapping in mappings:
                for number in range(mapping.first, mapping.last + 1):
                    self._given.setdefault((mapping.protocol, number), set()).add(mapping.address)

    def _take_run(
        self, run: list[Publication], held: list[socket.socket], container_address: str
    ) -> tuple[Mapping, ...]:
        first = run[0]
        if len(run) > LONG_RANGE:
            self._claim_range(run)
            mapping = Mapping(first.port.protocol, first.address, first.first, run[-1].first, first.port.number)
            return (mapping,)
        return tuple(self._take_single(wish, held, container_address) for wish in run)

    def _take_single(self, wish: Publication, held: list[socket.socket], container_address: str) -> Mapping:
        protocol, address = wish.port.protocol, wish.address
        refusal: PortRefused | None = None
        for number in self._candidates(wish):
            if not self._claim(protocol, number, address):
                refusal = refusal or _allocated(wish, number)
                continue
            try:
                bound = self._hold(protocol, address, number)
            except OSError as error:
                with self._lock:
                    self._forget(protocol, number, address)
                reason = _REASONS.get(error.errno or 0, os.strerror(error.errno or 0).lower())
                shown = _show(address), number, container_address, wish.port
                words = f"failed to bind host port for {shown[0]}:{shown[1]}:{shown[2]}:{shown[3]}: {reason}"
                refusal = PortRefused(words)
                if error.errno != errno.EADDRINUSE:
                    break
                continue
            if bound is not None:
                held.append(bound)
            if wish.first == 0:
                self._last[protocol, address] = number
            return Mapping(protocol, address, number, number, wish.port.number)
        raise refusal or PortRefused("all ports are allocated")

    def _candidates(self, wish: Publication) -> Iterable[int]:
        if wish.first:
            return range(wish.first, wish.last + 1)
        low, high = self._ephemeral
        start = self._last.get((wish.port.protocol, wish.address), high) + 1
        return (*range(max(start, low), high + 1), *range(low, start))

    def _claim(self, protocol: str, number: int, address: str) -> bool:
        with self._lock:
            owners = self._given.get((protocol, number))
            if owners and (not address or address in owners or "" in owners):
                return False
            self._given.setdefault((protocol, number), set()).add(address)
            return True

    def _claim_range(self, run: list[Publication]) -> None:
        protocol, address = run[0].port.protocol, run[0].address
        busy = _busy(protocol, address) if protocol in _TYPES else set()
        done: list[int] = []
        for wish in run:
            free = wish.first not in busy
            if free and self._claim(protocol, wish.first, address):
                done.append(wish.first)
                continue
            with self._lock:
                for number in done:
                    self._forget(protocol, number, address)
            raise (
                _allocated(wish, wish.first)
                if free
                else PortRefused(f"failed to bind host port for {_show(address)}:{wish.first}: address already in use")
            )

    def _forget(self, protocol: str, number: int, address: str) -> None:
        owners = self._given.get((protocol, number))
        if owners is not None:
            owners.discard(address)
            if not owners:
                del self._given[protocol, number]

    def _hold(self, protocol: str, address: str, number: int) -> socket.socket | None:
        if protocol not in _TYPES:
            return None  # SCTP: few hosts have its sockets, and the kernel's maps serve it without
        while True:
            try:
                return _bind(protocol, address, number)
            except OSError as error:
                released = self._released.get((protocol, number))
                recent = released is not None and self._clock() - released < _HANDOVER_SECONDS
                if error.errno != errno.EADDRINUSE or not recent:
                    raise
            time.sleep(0.002)


def _bind(protocol: str, address: str, number: int) -> socket.socket:
    kind, transport = _TYPES[protocol]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, kind | socket.SOCK_CLOEXEC, transport)
    try:
        drop_everything(bound)
        if (
            protocol == "tcp"
        ):  # TIME_WAIT of an earlier server does not count; a listener does, and ours must listen to count
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((address, number))
        if protocol == "tcp":
            bound.listen(1)
    except BaseException:
        bound.close()
        raise
    return bound


def _busy(protocol: str, address: str) -> set[int]:
    """Ports of the host that a socket on the address, or on every address, has taken."""
    wanted = ip_address(address).packed if address else b""
    return {
        port for local, port in taken_ports(_TYPES[protocol][1]) if not wanted or not any(local) or local[-4:] == wanted
    }


def _runs(wishes: Sequence[Publication]) -> Iterable[list[Publication]]:
    """Split into runs that go on by one on both sides; only fixed ports of equal number make long ones."""
    run: list[Publication] = []
    for wish in wishes:
        if run and not _continues(run[-1], wish):
            yield run
            run = []
        run.append(wish)
    if run:
        yield run


def _continues(last: Publication, wish: Publication) -> bool:
    fixed = wish.first == wish.last == wish.port.number
    same = (last.port.protocol, last.address) == (wish.port.protocol, wish.address)
    return fixed and same and last.first == last.port.number and wish.first == last.first + 1


def _allocated(wish: Publication, number: int) -> PortRefused:
    return PortRefused(f"Bind for {_show(wish.address)}:{number} failed: port is already allocated")


def _show(address: str) -> str:
    return f"[{address}]" if ":" in address else address or "0.0.0.0"


def ephemeral_range(text: str) -> tuple[int, int]:
    """Return the ends of `net.ipv4.ip_local_port_range`, or Docker's own when it makes no sense."""
    with suppress(ValueError):
        low, high = (int(part) for part in text.split())
        if 0 < low <= high <= 65535:
            return low, high
    return 49153, 65535
