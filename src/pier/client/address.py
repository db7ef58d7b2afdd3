"""Addresses of daemons as Docker writes them (`unix:///path`, `tcp://host:port`, `ssh://host`), and connecting to one.

Parsing is pure; `connect` is the only place that opens a socket.
"""

from __future__ import annotations

import os

from pier.client.errors import ConnectionFailed
from pier.spec.errors import InvalidParameter

DEFAULT_HOST = "unix:///run/pier/pier.sock"
TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
else:
    import _socket as socket  # the package's import takes 4 ms more; what only it has is imported where it is used

UNRESOLVED = "Failed to initialize: unable to resolve docker endpoint: "
DEFAULT_PORT = 2375
TLS_PORT = 2376


class Tls:
    """Paths of the certificates for a tcp address; `verify` false accepts any certificate of the server."""

    __slots__ = ("authority", "certificate", "key", "verify")

    def __init__(self, authority: str, certificate: str, key: str, *, verify: bool) -> None:
        self.authority = authority
        self.certificate = certificate
        self.key = key
        self.verify = verify


class Address:
    """A parsed host: `scheme`, the socket's `path` or `host` and `port`, and the text it came from."""

    __slots__ = ("host", "path", "port", "scheme", "text", "tls")

    def __init__(self, text: str, scheme: str, *, path: str = "", host: str = "", port: int = 0) -> None:
        self.text = text
        self.scheme = scheme
        self.path = path
        self.host = host
        self.port = port
        self.tls: Tls | None = None

    @property
    def authority(self) -> str:
        """What the Host header carries; Docker's client names unix sockets so too."""
        if self.scheme != "tcp":
            return "api.moby.localhost"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse(text: str) -> Address:
    """Parse a daemon's address; raises InvalidParameter in Docker's words."""
    value = text.strip() or DEFAULT_HOST
    if "://" not in value:
        if value.startswith("/"):
            raise InvalidParameter(f"{UNRESOLVED}unable to parse docker host `{text}`")
        value = "tcp://" + value
    scheme, _, rest = value.partition("://")
    if scheme == "unix":
        return Address(value, "unix", path=rest or DEFAULT_HOST.partition("://")[2])
    if scheme in ("tcp", "http", "https"):
        return _parse_tcp(text, value, rest)
    if scheme == "ssh":
        return Address(value, "ssh", host=rest)
    raise InvalidParameter(f"{UNRESOLVED}invalid bind address format: {text}")


def _parse_tcp(text: str, value: str, rest: str) -> Address:
    rest = rest.partition("/")[0] or "localhost"
    if rest.startswith("["):
        host, _, tail = rest[1:].partition("]")
        port_text = tail[1:] if tail.startswith(":") else ""
    else:
        host, _, port_text = rest.partition(":")
    if port_text and not (port_text.isdecimal() and 0 < int(port_text) < 65536):
        raise InvalidParameter(f"invalid bind address ({rest}): invalid port number in {text}")
    return Address(value, "tcp", host=host or "localhost", port=int(port_text) if port_text else DEFAULT_PORT)


def connect(address: Address) -> socket.socket:
    """Open a connection to the daemon; raises ConnectionFailed in Docker's words."""
    try:
        if address.scheme == "unix":
            return _connect_unix(address.path)
        if address.scheme == "ssh":
            return _connect_ssh(address)
        from socket import create_connection

        plain = create_connection((address.host, address.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _wrap_tls(plain, address) if address.tls is not None else plain
    except PermissionError as error:
        raise ConnectionFailed(
            f"permission denied while trying to connect to the Docker daemon socket at {address.text}: "
            f"dial unix {address.path}: connect: permission denied"
        ) from error
    except OSError as error:
        if address.tls is not None and not isinstance(error, ConnectionRefusedError):
            raise ConnectionFailed(f"error during connect to {address.text}: {error}") from error
        raise ConnectionFailed(
            f"Cannot connect to the Docker daemon at {address.text}. Is the docker daemon running?"
        ) from error


def _connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def _wrap_tls(plain: socket.socket, address: Address) -> socket.socket:
    import ssl  # 20 ms of start-up, and only TLS needs it

    assert address.tls is not None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if not address.tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif os.path.exists(address.tls.authority):
        context.load_verify_locations(address.tls.authority)
    else:
        context.load_default_certs()
    if os.path.exists(address.tls.certificate):
        context.load_cert_chain(address.tls.certificate, address.tls.key)
    return context.wrap_socket(plain, server_hostname=address.host)


def _connect_ssh(address: Address) -> socket.socket:
    """A socket whose other end is `system dial-stdio` on the remote host: Pier's where it is installed, else Docker's,
    as Docker's client does it.
    """
    from socket import socketpair

    command = ssh_command(address.host)
    ours, theirs = socketpair()
    actions = [(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0), (os.POSIX_SPAWN_DUP2, theirs.fileno(), 1)]
    try:
        os.posix_spawnp("ssh", command, os.environ, file_actions=actions)
    finally:
        theirs.close()
    return ours


def ssh_command(target: str) -> list[str]:
    """The words that reach the daemon of `[user@]host[:port][/path/of/its.sock]`.

    InvalidParameter for what ssh could take for something else than a host (CVE-2017-1000117).
    """
    authority, slash, path = target.partition("/")
    user, at, host_port = authority.rpartition("@")
    host, _, port = host_port.partition(":")
    if host_port.startswith("["):
        host, _, tail = host_port[1:].partition("]")
        port = tail.removeprefix(":")
    if not host or host.startswith("-") or user.startswith("-") or (port and not port.isdecimal()):
        raise InvalidParameter(f"{UNRESOLVED}invalid ssh host {target!r}")
    if ":" in user:
        raise InvalidParameter(f"{UNRESOLVED}plain-text password is not supported in ssh addresses")
    where = ""
    if slash and path:
        from shlex import quote

        where = f" --host {quote(f'unix:///{path}')}"
    dial = f"{where} system dial-stdio"
    remote = f"if command -v pier >/dev/null 2>&1; then exec pier{dial}; else exec docker{dial}; fi"
    login = ["-l", user] if at and user else []
    return ["ssh", "-o", "ConnectTimeout=30", "-T", *login, *(["-p", port] if port else []), "--", host, remote]
