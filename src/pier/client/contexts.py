"""Docker's client configuration: `config.json` and the contexts beside it, read and never written.

Which daemon to talk to is decided here: `-H`, then `DOCKER_HOST`, then the context of `-c`, `DOCKER_CONTEXT` or
the configuration, then Pier's own socket.
"""

from __future__ import annotations

import os

from pier.client import documents
from pier.client.address import DEFAULT_HOST, TLS_PORT, UNRESOLVED, Address, Tls, parse
from pier.spec.errors import InvalidParameter, NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def configuration_directory(environment: Mapping[str, str]) -> str:
    """`DOCKER_CONFIG`, or `~/.docker`."""
    home = environment.get("HOME") or "/root"
    return environment.get("DOCKER_CONFIG") or os.path.join(home, ".docker")


def read_configuration(directory: str) -> dict[str, object]:
    """The contents of config.json; nothing when there is no such file."""
    path = os.path.join(directory, "config.json")
    try:
        with open(path, encoding="utf-8") as file:
            content = documents.decode(file.read())
    except FileNotFoundError:
        return {}
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise InvalidParameter(f"error loading config file: open {path}: {reason}") from error
    except ValueError as error:
        raise InvalidParameter(f"error loading config file: {path}: {error}") from error
    return content if isinstance(content, dict) else {}


class Context:
    """A named daemon; `host` is empty for the default context, whose host comes from the environment."""

    __slots__ = ("description", "directory", "host", "name", "skip_verify")

    def __init__(self, name: str, host: str, description: str = "", directory: str = "") -> None:
        self.name = name
        self.host = host
        self.description = description
        self.directory = directory
        self.skip_verify = False


def list_contexts(directory: str) -> list[Context]:
    """All contexts stored under the configuration directory, sorted by name."""
    root = os.path.join(directory, "contexts", "meta")
    try:
        entries = os.listdir(root)
    except OSError:
        return []
    found = [context for entry in entries if (context := _read_context(directory, entry)) is not None]
    return sorted(found, key=lambda context: context.name)


def _read_context(directory: str, entry: str) -> Context | None:
    try:
        with open(os.path.join(directory, "contexts", "meta", entry, "meta.json"), encoding="utf-8") as file:
            content = documents.decode(file.read())
        endpoint = content.get("Endpoints", {}).get("docker", {})
        description = (content.get("Metadata") or {}).get("Description", "")
        context = Context(content["Name"], endpoint.get("Host", ""), description)
        context.directory = os.path.join(directory, "contexts", "tls", entry, "docker")
        context.skip_verify = bool(endpoint.get("SkipTLSVerify"))
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    return context


def find_context(directory: str, name: str) -> Context:
    """The context with this name, from its meta.json."""
    for context in list_contexts(directory):
        if context.name == name:
            return context
    import hashlib  # only for the place where Docker keeps it

    entry = hashlib.sha256(name.encode()).hexdigest()
    path = os.path.join(directory, "contexts", "meta", entry, "meta.json")
    raise NotFound(f'{UNRESOLVED}context "{name}": context not found: open {path}: no such file or directory')


class Choice:
    """What the user asked for: global flags and the environment's values."""

    __slots__ = ("context", "hosts", "tls", "tls_paths", "tls_verify")

    def __init__(self, hosts: list[str], context: str = "") -> None:
        self.hosts = hosts
        self.context = context
        self.tls = False
        self.tls_verify = False
        self.tls_paths: dict[str, str] = {}


def context_name(choice: Choice, environment: Mapping[str, str], configuration: Mapping[str, object]) -> str:
    """The name of the context in effect, `default` when a host was given."""
    if choice.context and choice.hosts:
        raise InvalidParameter("conflicting options: cannot specify both --host and --context")
    if choice.context:
        return choice.context
    if choice.hosts or environment.get("DOCKER_HOST"):
        return "default"
    return environment.get("DOCKER_CONTEXT") or str(configuration.get("currentContext") or "") or "default"


def resolve(choice: Choice, environment: Mapping[str, str], directory: str) -> Address:
    """The address of the daemon to talk to."""
    if len(choice.hosts) > 1:
        raise InvalidParameter("specify only one -H")
    name = context_name(choice, environment, read_configuration(directory) if not choice.hosts else {})
    if name != "default":
        context = find_context(directory, name)
        address = parse(context.host)
        if address.scheme == "tcp" and os.path.isdir(context.directory):
            address.tls = _tls_in(context.directory, {}, verify=not context.skip_verify)
        return address
    address = parse(choice.hosts[0] if choice.hosts else environment.get("DOCKER_HOST") or DEFAULT_HOST)
    verify = choice.tls_verify or bool(environment.get("DOCKER_TLS_VERIFY"))
    if address.scheme == "tcp" and (choice.tls or verify or environment.get("DOCKER_TLS")):
        certificates = environment.get("DOCKER_CERT_PATH") or directory
        address.tls = _tls_in(certificates, choice.tls_paths, verify=verify)
        if address.text.rstrip("/").count(":") == 1:
            address.port = TLS_PORT
    return address


def _tls_in(directory: str, paths: Mapping[str, str], *, verify: bool) -> Tls:
    def path(flag: str, name: str) -> str:
        return paths.get(flag) or os.path.join(directory, name)

    return Tls(path("tlscacert", "ca.pem"), path("tlscert", "cert.pem"), path("tlskey", "key.pem"), verify=verify)
