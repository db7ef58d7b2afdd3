"""Ports as Docker writes them: `80/tcp`, ranges, and the bindings that publish them. Pure parsing, in Docker's error
words.

Which free host port a publication gets is decided in `network/ports.py`.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pier.spec.errors import InvalidParameter
from pier.spec.host_config import PortBinding

Protocol = Literal["tcp", "udp", "sctp"]

PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Port:
    """A port of a container; `str` gives Docker's spelling."""

    number: int
    protocol: Protocol

    def __str__(self) -> str:
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Publication:
    """A wish to publish: any host port from `first` to `last` (0 and 0: one of the engine's choice).

    `address` is a canonical IP address, or empty for every address of the host.
    """

    port: Port
    address: str
    first: int
    last: int


def parse_range(text: str) -> tuple[int, int]:
    """Return the ends of `8000` or `8000-8010`. InvalidParameter otherwise."""
    match = _RANGE.fullmatch(text)
    first = int(match[1]) if match else -1
    last = int(match[2]) if match and match[2] else first
    if not 0 <= first <= last <= 65535:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return first, last


def parse_ports(text: str) -> tuple[Port, ...]:
    """Return the ports of `80`, `80/udp` or `8000-8010/tcp`. InvalidParameter otherwise."""
    numbers, slash, word = text.partition("/")
    protocol = word.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    try:
        first, last = parse_range(numbers)
    except InvalidParameter:
        raise InvalidParameter(f'invalid port specification: "{text}"') from None
    if first == 0:
        raise InvalidParameter(f'invalid port specification: "{text}"')
    return tuple(Port(number, protocol) for number in range(first, last + 1))


def parse_address(text: str) -> str:
    """Return the canonical host address of a binding, empty for every address. InvalidParameter otherwise."""
    if not text:
        return ""
    try:
        address = ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        raise InvalidParameter(f"invalid IP address: {text}") from None
    return "" if str(address) == "0.0.0.0" else str(address)


def exposed_ports(*sources: Iterable[str]) -> tuple[Port, ...]:
    """Return every port that one of the sources (ExposedPorts, keys of PortBindings) names, in order."""
    return tuple(sorted({port for source in sources for text in source for port in parse_ports(text)}))


def publications(
    bindings: Mapping[str, Sequence[PortBinding] | None], exposed: Iterable[str] = (), *, publish_all: bool = False
) -> tuple[Publication, ...]:
    """Return the wishes of PortBindings, and with `publish_all` one of every exposed port without a binding.

    A range of container ports with a range of host ports of equal length is published one to one.
    Those that name their host port come first, so that the engine's choice never takes it from them.
    """
    wishes = [
        wish for key in bindings for binding in bindings[key] or () for wish in _of_binding(parse_ports(key), binding)
    ]
    if publish_all:
        bound = {wish.port for wish in wishes}
        wishes += [Publication(port, "", 0, 0) for port in exposed_ports(exposed) if port not in bound]
    return tuple(sorted(dict.fromkeys(wishes), key=_order))


def _of_binding(ports: tuple[Port, ...], binding: PortBinding) -> list[Publication]:
    address = parse_address(binding.HostIp)
    if not binding.HostPort:
        return [Publication(port, address, 0, 0) for port in ports]
    first, last = parse_range(binding.HostPort)
    if len(ports) == 1:
        return [Publication(ports[0], address, first, last)]
    if last - first + 1 != len(ports):
        raise InvalidParameter(f'invalid port specification: "{binding.HostPort}"')
    return [Publication(port, address, first + place, first + place) for place, port in enumerate(ports)]


def _order(wish: Publication) -> tuple[int, Port, str, int]:
    freedom = 2 if wish.first == 0 else 1 if wish.first != wish.last else 0
    return freedom, wish.port, wish.address, wish.first
