"""`-p` and `--expose`: port specifications to exposed ports and bindings, with Docker's errors. Pure.

Source: docker/go-connections nat's ParsePortSpecs.
"""

from __future__ import annotations

from pier.cli.create.types import is_address
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Binding: TypeAlias = dict[str, str]

PROTOCOLS = ("tcp", "udp", "sctp")
HIGHEST = 65535


def standard_notation(publish: str) -> str:
    """`target=80,published=8080,protocol=udp` as `8080:80/udp`."""
    if "=" not in publish:
        return publish
    parameters = {"protocol": "tcp", "published": "", "target": ""}
    for parameter in publish.split(","):
        name, mark, value = parameter.partition("=")
        if not mark:
            raise Failure(f"invalid publish opts format (should be name=value but got '{parameter}')")
        parameters[name] = value
    return f"{parameters['published']}:{parameters['target']}/{parameters['protocol']}"


def _range(text: str) -> tuple[int, int]:
    """`80` or `80-90`; ValueError carries Go's reason."""
    if not text:
        raise ValueError("empty string specified for ports")
    low_text, mark, high_text = text.partition("-")
    low = _number(low_text)
    high = _number(high_text) if mark else low
    if high < low:
        raise ValueError(f"invalid range specified for port: {text}")
    return low, high


def _number(text: str) -> int:
    if not text.isdecimal() or not text.isascii():
        raise ValueError(f'strconv.ParseUint: parsing "{text}": invalid syntax')
    if int(text) > HIGHEST:
        raise ValueError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _split(spec: str) -> tuple[str, str, str]:
    """Address, host port, container port."""
    parts = spec.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def parse_published(given: list[str]) -> tuple[dict[str, dict[str, str]], dict[str, list[Binding]]]:
    """Exposed ports and bindings of all `-p`."""
    exposed: dict[str, dict[str, str]] = {}
    bindings: dict[str, list[Binding]] = {}
    for publish in given:
        for port, binding in _parse_one(standard_notation(publish)):
            exposed[port] = {}
            known = bindings.setdefault(port, [])
            known.append(binding)
    return exposed, bindings


def _parse_one(raw: str) -> list[tuple[str, Binding]]:
    address, host, container = _split(raw)
    container, slash, protocol = container.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address and not is_address(address):
        raise Failure(f"invalid IP address: {address}")
    if not container:
        raise Failure(f"no port specified: {raw}<empty>")
    try:
        low, high = _range(container)
    except ValueError:
        raise Failure(f"invalid containerPort: {container}") from None
    host_low, host_high = _host_range(host)
    if host and high - low != host_high - host_low and high != low:
        raise Failure(f"invalid ranges specified for container and host Ports: {container} and {host}")
    if protocol not in PROTOCOLS:
        raise Failure(f"invalid proto: {protocol}")
    result = []
    for offset in range(high - low + 1):
        chosen = ""
        if host:
            spread = high == low and host_high != host_low
            chosen = f"{host_low}-{host_high}" if spread else str(host_low + offset)
        result.append((f"{low + offset}/{protocol}", {"HostIp": address, "HostPort": chosen}))
    return result


def _host_range(host: str) -> tuple[int, int]:
    if not host:
        return 0, 0
    try:
        return _range(host)
    except ValueError:
        raise Failure(f"invalid hostPort: {host}") from None


def parse_exposed(given: list[str]) -> list[str]:
    """The ports of all `--expose`."""
    ports = []
    for spec in given:
        if ":" in spec:
            raise Failure(f"invalid port format for --expose: {spec}")
        text, _, protocol = spec.partition("/")
        try:
            low, high = _range(text)
        except ValueError as error:
            raise Failure(f"invalid range format for --expose: {spec}, error: {error}") from None
        ports += [f"{port}/{(protocol or 'tcp').lower()}" for port in range(low, high + 1)]
    return ports
