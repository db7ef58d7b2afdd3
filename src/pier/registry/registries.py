"""Which hosts stand for a registry: mirrors, the registry itself, and in clear only where the operator listed it.

A registry on this machine (127.0.0.0/8, ::1, localhost) counts as listed, as in Docker. Certificates lie where Docker
looks for them: `<directory>/<host[:port]>/*.crt` are authorities, `*.cert` with `*.key` are ours.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pier.spec.errors import InvalidParameter, SystemFailure
from pier.spec.references import DEFAULT_DOMAIN

_HUB = "registry-1.docker.io"
_CERTIFICATES = (Path("/etc/docker/certs.d"), Path("/etc/pier/certs.d"))
_LOOPBACK = ("127.0.0.0/8", "::1/128")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One base address to try: `https://host[:port]`, how to trust it, and whether it is the registry itself."""

    scheme: str
    host: str  # with the port, if any
    tls: ssl.SSLContext | None
    mirror: bool = False
    insecure: bool = False

    @property
    def base(self) -> str:
        """The address without a path."""
        return f"{self.scheme}://{self.host}"


class Turn:
    """One blob's downloads within this daemon: one runs at a time, and all who want the blob hear how far it is."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.hearers: list[Callable[[str, int, int], None]] = []

    @contextlib.contextmanager
    def hearing(self, hearer: Callable[[str, int, int], None]) -> Iterator[None]:
        """Let `hearer` hear what is told until the end of the block."""
        self.hearers.append(hearer)
        try:
            yield
        finally:
            self.hearers.remove(hearer)

    def tell(self, status: str, current: int = -1, total: int = 0) -> None:
        """Tell all a status; with `current` of `total` bytes where that is known."""
        for hearer in tuple(self.hearers):
            hearer(status, current, total)


class Registries:
    """The operator's settings about registries, and the turns of downloads within this daemon."""

    def __init__(
        self,
        mirrors: Sequence[str] = (),  # of Docker Hub, or of another registry as `<host>=<address>`; in order
        insecure: Sequence[str] = (),
        certificate_directories: Sequence[Path] = _CERTIFICATES,
        *,
        downloads: int = 3,
        attempts: int = 5,
        loopback_is_insecure: bool = True,
    ) -> None:
        self._mirrors: dict[str, list[tuple[str, str]]] = {}
        for mirror in mirrors:
            domain, address = split_mirror(mirror)
            self._mirrors.setdefault(domain, []).append(_check_mirror(address))
        self._insecure_hosts = {entry.lower() for entry in insecure if _network(entry) is None}
        loopback = _LOOPBACK if loopback_is_insecure else ()
        self._localhost = "localhost" if loopback_is_insecure else ""
        self._networks = [network for entry in (*loopback, *insecure) if (network := _network(entry))]
        self._asks_names = any(_network(entry) for entry in insecure)
        self._directories = tuple(certificate_directories)
        self.attempts = attempts
        self.downloads = asyncio.Semaphore(downloads)
        self._contexts: dict[tuple[str, bool], ssl.SSLContext] = {}
        self._turns: weakref.WeakValueDictionary[str, Turn] = weakref.WeakValueDictionary()

    def turn(self, digest: str) -> Turn:
        """What all downloads of a blob share."""
        turn = self._turns.get(digest)
        if turn is None:
            turn = self._turns[digest] = Turn()
        return turn

    async def endpoints(self, domain: str) -> list[Endpoint]:
        """The addresses to try for a registry, in order."""
        found: list[Endpoint] = []
        for scheme, host in self._mirrors.get(domain.lower(), ()):
            insecure = await self.is_insecure(host)
            tls = self.tls(host, verify=not insecure) if scheme == "https" else None
            found.append(Endpoint(scheme, host, tls, mirror=True, insecure=insecure))
        host = _HUB if domain == DEFAULT_DOMAIN else domain
        insecure = await self.is_insecure(host)
        found.append(Endpoint("https", host, self.tls(host, verify=not insecure), insecure=insecure))
        if insecure:
            found.append(Endpoint("http", host, None, insecure=True))
        return found

    async def is_insecure(self, host: str) -> bool:
        """Whether the operator lists `host[:port]`, by name or by network, or it is this machine."""
        name = bare_host(host)
        if host.lower() in self._insecure_hosts or name in self._insecure_hosts or name == self._localhost:
            return True
        return any(address in network for address in await self._addresses(name) for network in self._networks)

    async def _addresses(self, name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        try:
            return [ipaddress.ip_address(name)]
        except ValueError:
            pass
        if not self._asks_names:
            return []
        try:
            found = await asyncio.get_running_loop().getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except OSError:
            return []
        return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]

    def tls(self, host: str, *, verify: bool) -> ssl.SSLContext:
        """How to speak TLS with `host[:port]`; the certificates are read once."""
        context = self._contexts.get((host, verify))
        if context is None:
            context = self._contexts[host, verify] = self._make_context(host, verify=verify)
        return context

    def _make_context(self, host: str, *, verify: bool) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        for directory in self._directories:
            self._add_certificates(context, directory / host)
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _add_certificates(self, context: ssl.SSLContext, directory: Path) -> None:
        if not directory.is_dir():
            return
        try:
            for authority in sorted(directory.glob("*.crt")):
                context.load_verify_locations(cafile=authority)
            for own in sorted(directory.glob("*.cert")):
                context.load_cert_chain(own, own.with_suffix(".key"))
        except (OSError, ssl.SSLError) as error:
            raise SystemFailure(f"certificates in {directory} cannot be used: {error}") from error


def bare_host(host: str) -> str:
    """A host without its port and brackets, in lower case."""
    name, _, port = host.rpartition(":")
    if name and port.isdigit() and (":" not in name or name.endswith("]")):
        host = name
    return host.strip("[]").lower()


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry, strict=False) if "/" in entry else None
    except ValueError:
        raise InvalidParameter(f"insecure registry {entry} is not valid: not a network") from None


def split_mirror(mirror: str) -> tuple[str, str]:
    """The registry that a mirror stands for, Docker Hub where none is named, and the mirror's address."""
    domain, equals, address = mirror.partition("=")
    return (domain.lower(), address) if equals and "/" not in domain else (DEFAULT_DOMAIN, mirror)


def _check_mirror(mirror: str) -> tuple[str, str]:
    scheme, separator, rest = mirror.partition("://")
    host = rest.rstrip("/")
    if not separator or scheme not in ("http", "https"):
        raise InvalidParameter(f'invalid mirror: unsupported scheme "{scheme}" in "{mirror}"')
    if not host or "/" in host or "?" in host or "#" in host or "@" in host:
        raise InvalidParameter(f'invalid mirror: path, query, or user at end of the URI "{mirror}"')
    return scheme, host
