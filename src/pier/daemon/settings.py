"""The settings of a daemon, typed and checked: what flags and daemon.json come to. Pure."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pier.daemon import runtimes
from pier.daemon.arguments import Value
from pier.network.pools import AddressPool, parse_pool
from pier.runtime.foreign import BUILT_IN, ForeignRuntime
from pier.spec import log_options
from pier.spec.errors import InvalidParameter

DEFAULT_CONFIG_FILE = Path("/etc/pier/daemon.json")
DEFAULT_DATA_ROOT = Path("/var/lib/pier")
_LEVELS = ("debug", "info", "warn", "error", "fatal")
_LABEL = re.compile(r"[^=\s]+=.*", re.DOTALL)
_LINK = re.compile(r"[^/\s]{1,15}")


@dataclass(frozen=True, slots=True)
class Settings:
    """One daemon. Empty texts and None mean Docker's default, decided where it is used."""

    hosts: tuple[str, ...] = ()
    data_root: Path = DEFAULT_DATA_ROOT
    exec_root: Path = Path("/run/pier")
    pidfile: Path = Path("/run/pier.pid")
    config_file: Path = DEFAULT_CONFIG_FILE
    group: str = "docker"
    group_is_given: bool = False
    bip: str = ""
    bridge: str = ""
    mtu: int = 0
    icc: bool = True
    ip: str = ""
    address_pools: tuple[AddressPool, ...] = ()
    dns: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    max_concurrent_downloads: int = 3
    max_concurrent_uploads: int = 5
    max_download_attempts: int = 5
    labels: tuple[str, ...] = ()
    debug: bool = False
    log_level: str = "info"
    log_format: str = "text"
    log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)
    default_ulimits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    default_shm_size: int = 64 << 20
    default_cgroupns_mode: str = ""
    default_ipc_mode: str = "private"
    default_stop_timeout: int = 10
    init: bool = False
    init_path: str = ""
    no_new_privileges: bool = False
    seccomp_profile: str = ""
    shutdown_containers: bool = False
    shutdown_timeout: int = 15
    runtimes: Mapping[str, ForeignRuntime] = field(default_factory=dict)
    default_runtime: str = BUILT_IN


def from_values(values: Mapping[str, Value], *, group_is_given: bool | None = None) -> Settings:
    """The settings that `values` (by flag name) ask for. Raises InvalidParameter naming the flag."""
    taken = _Values(values)
    settings = Settings(
        hosts=taken.texts("host"),
        data_root=taken.path("data-root", DEFAULT_DATA_ROOT),
        exec_root=taken.path("exec-root", Path("/run/pier")),
        pidfile=taken.path("pidfile", Path("/run/pier.pid")),
        config_file=taken.path("config-file", DEFAULT_CONFIG_FILE),
        group=taken.text("group", "docker"),
        group_is_given="group" in values if group_is_given is None else group_is_given,
        bip=_bip(taken.text("bip")),
        bridge=_bridge(taken.text("bridge")),
        mtu=_mtu(taken.number("mtu", 0)),
        icc=taken.switch("icc", default=True),
        ip=_ip(taken.text("ip")),
        address_pools=tuple(_pool(text) for text in taken.texts("default-address-pool")),
        dns=tuple(_address("dns", server) for server in taken.texts("dns")),
        dns_options=taken.texts("dns-opt"),
        dns_search=tuple(_search(domain) for domain in taken.texts("dns-search")),
        registry_mirrors=tuple(_mirror(mirror) for mirror in taken.texts("registry-mirror")),
        insecure_registries=tuple(_insecure(name) for name in taken.texts("insecure-registry")),
        max_concurrent_downloads=_at_least("max-concurrent-downloads", taken.number("max-concurrent-downloads", 3), 1),
        max_concurrent_uploads=_at_least("max-concurrent-uploads", taken.number("max-concurrent-uploads", 5), 1),
        max_download_attempts=_at_least("max-download-attempts", taken.number("max-download-attempts", 5), 1),
        labels=_labels(taken.texts("label")),
        debug=taken.switch("debug"),
        log_level=_one_of("log-level", taken.text("log-level", "info"), _LEVELS),
        log_format=_one_of("log-format", taken.text("log-format", "text"), ("text", "json")),
        log_driver=_one_of("log-driver", taken.text("log-driver", "json-file"), ("json-file", "none")),
        log_options=taken.mapping("log-opt"),
        default_ulimits=dict(_ulimit(text) for text in taken.texts("default-ulimit")),
        default_shm_size=_at_least("default-shm-size", taken.number("default-shm-size", 64 << 20), 1),
        default_cgroupns_mode=_one_of(
            "default-cgroupns-mode", taken.text("default-cgroupns-mode"), ("", "private", "host")
        ),
        default_ipc_mode=_one_of(
            "default-ipc-mode", taken.text("default-ipc-mode", "private"), ("private", "shareable")
        ),
        default_stop_timeout=taken.number("default-stop-timeout", 10),
        init=taken.switch("init"),
        init_path=taken.text("init-path"),
        no_new_privileges=taken.switch("no-new-privileges"),
        seccomp_profile=taken.text("seccomp-profile"),
        shutdown_containers=taken.switch("shutdown-containers"),
        shutdown_timeout=_at_least("shutdown-timeout", taken.number("shutdown-timeout", 15), 0),
        runtimes=runtimes.parse(taken.texts("add-runtime")),
        default_runtime=taken.text("default-runtime", BUILT_IN) or BUILT_IN,
    )
    runtimes.check_default(settings.default_runtime, settings.runtimes)
    if settings.log_driver == "json-file":
        log_options.check(settings.log_options)
    if settings.bip and settings.bridge:
        raise InvalidParameter("you specified -b & --bip, mutually exclusive options: please specify only one")
    return settings


class _Values:
    """The values by flag name, each with the type that its kind promises."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        value = self._values.get(name, default)
        return value if isinstance(value, str) else default

    def path(self, name: str, default: Path) -> Path:
        text = self.text(name)
        if not text:
            return default
        if "\0" in text:
            raise InvalidParameter(f"invalid path for --{name}: it holds a NUL byte")
        return Path(text).absolute()

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        return tuple(value) if isinstance(value, list) else ()

    def number(self, name: str, default: int) -> int:
        value = self._values.get(name, default)
        return value if isinstance(value, int) else default

    def switch(self, name: str, *, default: bool = False) -> bool:
        return self._values.get(name, default) is True

    def mapping(self, name: str) -> dict[str, str]:
        value = self._values.get(name)
        return dict(value) if isinstance(value, dict) else {}


def _bip(text: str) -> str:
    if not text:
        return ""
    try:
        interface = ipaddress.IPv4Interface(text)
    except ValueError:
        raise InvalidParameter(f"invalid CIDR address: {text}") from None
    if "/" not in text or interface.network.prefixlen > 30:
        raise InvalidParameter(f"invalid --bip {text}: give the bridge's address with a prefix of /30 or shorter")
    if interface.ip in (interface.network.network_address, interface.network.broadcast_address):
        raise InvalidParameter(f"invalid --bip {text}: {interface.ip} is no host's address in its subnet")
    return text


def _bridge(text: str) -> str:
    if text and not _LINK.fullmatch(text):
        raise InvalidParameter(f"invalid bridge name: {text}")
    if text == "none":
        raise InvalidParameter("--bridge none is not supported: the default network has a bridge; use --network none")
    return text


def _address(flag: str, text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidParameter(f"invalid --{flag}: {text} is not an ip address") from None


def _ip(text: str) -> str:
    if text and ":" in text:
        raise InvalidParameter(f"invalid --ip: {text} is not an IPv4 address")
    return _address("ip", text) if text else ""


def _pool(text: str) -> AddressPool:
    try:
        return parse_pool(text)
    except InvalidParameter as error:
        raise InvalidParameter(
            f'invalid argument "{text}" for "--default-address-pool" flag: {error.message}'
        ) from None


def _mtu(number: int) -> int:
    if number and not 68 <= number <= 65535:
        raise InvalidParameter(f"invalid --mtu: {number}: it must be between 68 and 65535")
    return number


def _search(domain: str) -> str:
    if domain != "." and not re.fullmatch(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?", domain):
        raise InvalidParameter(f"{domain} is not a valid domain")
    return domain


def _mirror(text: str) -> str:
    """Docker's `ValidateMirror`: scheme http or https, a host, no query, no credentials; ends with a slash.

    Before it may stand `<registry>=`, for a mirror of another registry than Docker Hub.
    """
    matched = re.fullmatch(r"([A-Za-z0-9.:\[\]-]+=)?(https?)://([^/?#@\s]+)(/[^?#\s]*)?", text)
    if matched is None:
        raise InvalidParameter(f'invalid mirror: "{text}" is not a valid URI')
    return text.rstrip("/") + "/"


def _insecure(text: str) -> str:
    lower = text.lower()
    name = text.split("://", 1)[1].rstrip("/") if lower.startswith(("http://", "https://")) else text
    if not name or name.startswith("-") or name.endswith("-") or re.search(r"\s", name):
        raise InvalidParameter(f"insecure registry {text} is not valid")
    return name


def _labels(labels: tuple[str, ...]) -> tuple[str, ...]:
    seen: dict[str, str] = {}
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise InvalidParameter(f"bad attribute format: {label}")
        key, _, value = label.partition("=")
        if seen.setdefault(key, value) != value:
            raise InvalidParameter(f"conflict labels for {key}={value} and {key}={seen[key]}")
    return labels


def _ulimit(text: str) -> tuple[str, tuple[int, int]]:
    name, equals, limits = text.partition("=")
    soft, colon, hard = limits.partition(":")
    try:
        pair = int(soft), int(hard if colon else soft)
    except ValueError:
        raise InvalidParameter(f"invalid ulimit argument: {text}") from None
    if not name or not equals:
        raise InvalidParameter(f"invalid ulimit argument: {text}")
    if pair[1] != -1 and (pair[0] == -1 or pair[0] > pair[1]):
        raise InvalidParameter(f"ulimit soft limit must be less than or equal to hard limit: {pair[0]} > {pair[1]}")
    return name, pair


def _at_least(flag: str, number: int, minimum: int) -> int:
    if number < minimum:
        raise InvalidParameter(f"invalid {flag}: {number}: it must be {minimum} or more")
    return number


def _one_of(flag: str, text: str, allowed: tuple[str, ...]) -> str:
    text = {"warning": "warn", "panic": "fatal"}.get(text, text) if flag == "log-level" else text
    if text not in allowed:
        names = ", ".join(name for name in allowed if name)
        raise InvalidParameter(f"invalid --{flag}: {text} (it can be: {names})")
    return text
