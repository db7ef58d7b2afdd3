"""The `-H` values: where a daemon listens. Pure; `daemon/sockets.py` opens them."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path

from pier.spec.errors import InvalidParameter, NotSupported

PIER_SOCKET = Path("/run/pier/pier.sock")
DOCKER_SOCKET = Path("/var/run/docker.sock")
_PORT = 2375


@dataclass(frozen=True, slots=True)
class UnixHost:
    """A socket file. `yields`: it is left alone when another daemon owns it."""

    path: Path
    yields: bool = False


@dataclass(frozen=True, slots=True)
class TcpHost:
    """A port on a loopback address."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ActivatedHost:
    """The sockets that systemd passes; `name` picks one of them ("" for all)."""

    name: str = ""


Host = UnixHost | TcpHost | ActivatedHost

DEFAULT_HOSTS: tuple[Host, ...] = (UnixHost(PIER_SOCKET), UnixHost(DOCKER_SOCKET, yields=True))


def parse(text: str) -> Host:
    """One `-H` value. Raises InvalidParameter, NotSupported."""
    scheme, separator, rest = text.strip().partition("://")
    if not separator:
        scheme, rest = ("unix", text.strip()) if text.strip().startswith("/") else ("tcp", text.strip())
    if scheme == "unix":
        return _unix(rest or str(DOCKER_SOCKET), text)
    if scheme == "fd":
        return ActivatedHost("" if rest in ("", "*") else rest)
    if scheme == "tcp":
        return _tcp(rest, text)
    raise InvalidParameter(f"invalid bind address ({text}): unsupported proto '{scheme}'")


def _unix(path: str, text: str) -> UnixHost:
    if not path.startswith("/") or "\0" in path:
        raise InvalidParameter(f"invalid bind address ({text}): the socket needs an absolute path")
    if len(path.encode()) > 107:
        raise InvalidParameter(f"invalid bind address ({text}): a socket's path has at most 107 bytes")
    return UnixHost(Path(path))


def _tcp(rest: str, text: str) -> TcpHost:
    matched = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[^:/\[\]]*)(?::([0-9]{1,5}))?/?", rest)
    if matched is None:
        raise InvalidParameter(f"invalid bind address ({text}): it should be tcp://host:port")
    name, port = matched[1].strip("[]") or "127.0.0.1", int(matched[2] or _PORT)
    if port > 65535:
        raise InvalidParameter(f"invalid bind address ({text}): invalid port {port}")
    name = "127.0.0.1" if name == "localhost" else name
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        raise InvalidParameter(f"invalid bind address ({text}): {name} is not an ip address") from None
    if not address.is_loopback:
        raise NotSupported(
            f"listening on {text} is not supported: who reaches the API is root here, and Pier does not serve TLS yet; "
            "listen on loopback, or reach the unix socket through ssh://"
        )
    return TcpHost(str(address), port)
