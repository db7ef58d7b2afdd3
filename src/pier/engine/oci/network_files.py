"""The texts of a container's /etc/hosts, /etc/hostname and /etc/resolv.conf, with Docker's semantics; pure.

Names and addresses have been validated: nothing here can carry a line break into a file (CVE-2022-4318); a last check
refuses control characters whatever their way in.
"""

import ipaddress
from collections.abc import Sequence

from pier.spec.errors import InvalidParameter

_LOCAL = (("127.0.0.1", "localhost"),)
_LOCAL_IPV6 = (
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)
_PUBLIC_SERVERS = ("8.8.8.8", "8.8.4.4")
_PUBLIC_SERVERS_IPV6 = ("2001:4860:4860::8888", "2001:4860:4860::8844")
EMBEDDED_SERVER = "127.0.0.11"
HOST_GATEWAY = "host-gateway"


def hostname(name: str) -> str:
    """The text of /etc/hostname."""
    return f"{_clean(name)}\n"


def hosts(
    name: str,
    domain: str = "",
    *,
    addresses: Sequence[str] = (),
    extra: Sequence[str] = (),
    gateway: str = "",
    host_text: str | None = None,
    ipv6: bool = True,
) -> str:
    """The text of /etc/hosts: the loopback names, `--add-host` entries, then the container's own name for each address.

    `gateway` is what `host-gateway` stands for; `host_text` is the host's file, for `--network host`, which keeps it.
    """
    local = "".join(f"{address}\t{names}\n" for address, names in (*_LOCAL, *(_LOCAL_IPV6 if ipv6 else ())))
    lines = [host_text if host_text is not None else local]
    for entry in extra:
        alias, address = split_extra_host(entry)
        if address == HOST_GATEWAY:
            if not gateway:
                raise InvalidParameter("unable to derive the IP value for host-gateway")
            address = gateway
        lines.append(f"{_clean(address)}\t{_clean(alias)}\n")
    names = f"{name}.{domain} {name}" if domain else name
    lines += [f"{_clean(address)}\t{_clean(names)}\n" for address in addresses]
    return "".join(lines)


def split_extra_host(entry: str) -> tuple[str, str]:
    """`name:address` or `name=address`, where an IPv6 address may stand in brackets."""
    sign = "=" if "=" in entry else ":"
    name, _, address = entry.partition(sign)
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    return name, address


def resolv_conf(
    host_text: str,
    *,
    servers: Sequence[str] = (),
    search: Sequence[str] = (),
    options: Sequence[str] = (),
    mode: str = "bridge",
    ipv6: bool = False,
) -> str:
    """The text of /etc/resolv.conf.

    What the client or the daemon asks for (`servers`, `search`, `options`) replaces the host's. `mode` is host (the
    host's file as it is), bridge (its servers that a container can reach, else public ones), none (as bridge, without
    public ones), or user (the embedded server of a user-defined network).
    """
    if mode == "host" and not (servers or search or options):
        return host_text
    hosts_servers, hosts_search, hosts_options = _parse(host_text)
    chosen = list(servers) or (list(hosts_servers) if mode == "host" else _reachable(hosts_servers, mode, ipv6=ipv6))
    domains = list(search) or hosts_search
    words = list(options) or hosts_options
    if mode == "user":
        chosen = [EMBEDDED_SERVER]
        words = [*words, "ndots:0"] if not any(word.startswith("ndots:") for word in words) else words
    lines = [f"nameserver {_clean(server)}\n" for server in chosen]
    domains = [] if domains == ["."] else domains
    if domains:
        lines.append(f"search {_clean(' '.join(domains))}\n")
    if words:
        lines.append(f"options {_clean(' '.join(words))}\n")
    return "".join(lines)


def _reachable(servers: Sequence[str], mode: str, *, ipv6: bool) -> list[str]:
    """The host's servers without its own loopback ones, and without IPv6 where the container has none."""
    found = []
    for server in servers:
        try:
            address = ipaddress.ip_address(server.partition("%")[0])
        except ValueError:
            continue
        if not address.is_loopback and (address.version == 4 or ipv6):
            found.append(server)
    if found or mode == "none":
        return found
    return [*_PUBLIC_SERVERS, *(_PUBLIC_SERVERS_IPV6 if ipv6 else ())]


def _parse(text: str) -> tuple[list[str], list[str], list[str]]:
    """Servers, search domains (the last line of them counts) and options of a resolv.conf."""
    servers: list[str] = []
    search: list[str] = []
    options: list[str] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if len(words) < 2:
            continue
        if words[0] == "nameserver":
            servers.append(words[1])
        elif words[0] in ("search", "domain"):
            search = words[1:]
        elif words[0] == "options":
            options = words[1:]
    return servers, search, options


def _clean(text: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise InvalidParameter(f"{text!r} contains control characters")
    return text
