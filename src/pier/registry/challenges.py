"""`WWW-Authenticate` (RFC 9110, 11.6.1), and to whom an answer may be given. Pure.

A registry names the service that gives tokens; what a user typed for the registry goes there only when it is the
registry's own host or a neighbour in its domain (registry-1.docker.io and auth.docker.io), over TLS unless the host
is listed as insecure (CVE-2020-15157, CVE-2019-10214). Anyone else is asked without credentials.
"""

import ipaddress
import re
from dataclasses import dataclass

_MAX_HEADER = 16 << 10
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9-]*)(?:\s+|\Z)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')
_SHARED_SECOND_LEVELS = frozenset({"co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go", "gob", "nom"})


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove oneself: its scheme in lower case and its parameters."""

    scheme: str
    parameters: dict[str, str]


def parse(headers: list[str]) -> list[Challenge]:
    """The challenges in the headers of a 401. What cannot be read is left out."""
    challenges: list[Challenge] = []
    for header in headers:
        position = 0
        text = header[:_MAX_HEADER]
        while (scheme := _SCHEME.match(text, position)) is not None:
            position = scheme.end()
            parameters: dict[str, str] = {}
            while (item := _PARAMETER.match(text, position)) is not None:
                value = item[3] if item[2] is None else re.sub(r"\\(.)", r"\1", item[2])
                parameters.setdefault(item[1].lower(), value)
                position = item.end()
            challenges.append(Challenge(scheme[1].lower(), parameters))
    return challenges


def choose(challenges: list[Challenge]) -> Challenge | None:
    """The challenge to answer: a token before a password."""
    for scheme in ("bearer", "basic"):
        for challenge in challenges:
            if challenge.scheme == scheme and (scheme == "basic" or challenge.parameters.get("realm")):
                return challenge
    return None


def may_receive_credentials(registry_host: str, realm_host: str) -> bool:
    """Whether the token service at `realm_host` may see what a user typed for the registry at `registry_host`."""
    registry_host, realm_host = registry_host.lower().rstrip("."), realm_host.lower().rstrip(".")
    if registry_host == realm_host:
        return True
    if _is_address(registry_host) or _is_address(realm_host):
        return False
    if realm_host.endswith("." + registry_host):
        return _is_owned(registry_host)
    parent = registry_host.partition(".")[2]
    return _is_owned(parent) and (realm_host == parent or realm_host.endswith("." + parent))


def _is_owned(domain: str) -> bool:
    """Whether a domain belongs to one owner, as far as its form tells: not `com`, not `co.uk`."""
    labels = domain.split(".")
    if len(labels) < 2 or not all(labels):
        return False
    return not (len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _SHARED_SECOND_LEVELS)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
