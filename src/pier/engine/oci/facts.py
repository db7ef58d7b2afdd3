"""What `configure` must know of one container and of the daemon's settings; gathered by the start path, never read
here.
"""

from collections.abc import Mapping

import msgspec
from msgspec import field

from pier.runtime.accounts import Accounts
from pier.runtime.foreign import BUILT_IN, STOCK_RUNTIMES, ForeignRuntime
from pier.spec.containers import ContainerConfig, HostConfig, Mount, Ulimit


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's own defaults for containers."""

    shm_size: int = 64 << 20
    ipc_mode: str = "private"
    cgroupns_mode: str = ""  # "" means Docker's default for the cgroup version
    no_new_privileges: bool = False
    init: bool = False
    seccomp_profile: str = ""  # a JSON profile's text, "unconfined", or "" for the built-in one
    ulimits: tuple[Ulimit, ...] = ()
    runtimes: Mapping[str, ForeignRuntime | None] = field(default_factory=lambda: dict(STOCK_RUNTIMES))
    default_runtime: str = BUILT_IN
    log_drivers: frozenset[str] = frozenset({"json-file", "none"})
    default_log_driver: str = "json-file"
    log_options: Mapping[str, str] = field(default_factory=dict)
    stop_timeout: int = 10


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A mount whose source is known: a directory of the host, a volume's directory, or nothing for a tmpfs.

    `type` is bind, volume or tmpfs; `propagation` a word of mount(8) or ""; `mode` the options of `-v`, `request` those
    of `--mount`.
    """

    type: str
    destination: str
    source: str = ""
    writable: bool = True
    propagation: str = ""
    mode: str = ""
    request: Mount | None = None


class Joined(msgspec.Struct, frozen=True, kw_only=True):
    """Namespaces taken from other containers, as paths below /proc (`/proc/4711/ns/net`)."""

    network: str = ""
    ipc: str = ""
    pid: str = ""
    shm: str = ""  # the other container's /dev/shm, as a path the runtime opens in that container's root


class DeviceNode(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the host: what stat(2) says of it."""

    path: str
    type: str  # b or c
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


class ContainerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One container, ready to be started."""

    id: str
    config: ContainerConfig
    host_config: HostConfig
    path: str
    args: tuple[str, ...]
    root: str
    cgroup: str
    accounts: Accounts
    hosts_path: str
    hostname_path: str
    resolv_conf_path: str
    mounts: tuple[Attached, ...] = ()
    joined: Joined = field(default_factory=Joined)
    init_path: str = ""  # the host's tini, for --init
    link_environment: tuple[str, ...] = ()  # variables of --link
    devices: dict[str, tuple[DeviceNode, ...]] = field(
        default_factory=dict
    )  # PathOnHost → nodes (a directory has several)
    host_devices: tuple[DeviceNode, ...] = ()  # every device of /dev, for --privileged
    block_devices: dict[str, tuple[int, int]] = field(default_factory=dict)  # path of a Blkio… entry → major, minor
    shared_sources: dict[str, str] = field(default_factory=dict)  # bind source → "shared", "slave" or "" of its mount
    seccomp_profile: str = ""  # text of a custom profile when SecurityOpt names one
