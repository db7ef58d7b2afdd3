"""OCI runtime-spec types: the `config.json` between the engine and any runtime.

Source: https://github.com/opencontainers/runtime-spec (1.2). Attributes are the specification's names in snake case;
empty optional fields are left out when printed. Limits live in `spec/runtime_resources.py`.
"""

import msgspec

from pier.spec.runtime_resources import LinuxDevice, LinuxResources


class _Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """A part of the document."""


class ConsoleSize(_Part):
    """Rows and columns of the terminal."""

    height: int
    width: int


class User(_Part):
    """Numeric identity of the process."""

    uid: int
    gid: int
    umask: int | None = None
    additional_gids: tuple[int, ...] = ()


class Capabilities(_Part):
    """The five sets, by kernel name (`CAP_CHOWN`)."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Rlimit(_Part):
    """One POSIX limit by kernel name (`RLIMIT_NOFILE`)."""

    type: str
    hard: int
    soft: int


class Process(_Part):
    """The program to run."""

    cwd: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    user: User = msgspec.field(default_factory=lambda: User(uid=0, gid=0))
    terminal: bool = False
    console_size: ConsoleSize | None = None
    capabilities: Capabilities | None = None
    rlimits: tuple[Rlimit, ...] = ()
    no_new_privileges: bool = False
    apparmor_profile: str = ""
    selinux_label: str = ""
    oom_score_adj: int | None = None


class Root(_Part):
    """The root file system."""

    path: str
    readonly: bool = False


class IdMapping(_Part):
    """A range of a user namespace's map."""

    container_id: int = msgspec.field(name="containerID")
    host_id: int = msgspec.field(name="hostID")
    size: int


class Mount(_Part):
    """One mount; options are mount(8)'s words, propagation words included."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()


class Hook(_Part):
    """A program that the runtime starts at a point of the container's life."""

    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout: int | None = None


class Hooks(_Part):
    """Hooks by the point at which they run."""

    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


class Namespace(_Part):
    """A namespace: new, or that of `path`. Types: pid network mount ipc uts user cgroup time."""

    type: str
    path: str = ""


class SyscallArgument(_Part):
    """A comparison of one argument of a system call."""

    index: int
    value: int
    op: str
    value_two: int = 0


class Syscall(_Part):
    """What happens to system calls by name, when all `args` match."""

    names: tuple[str, ...]
    action: str
    errno_ret: int | None = None
    args: tuple[SyscallArgument, ...] = ()


class Seccomp(_Part):
    """The seccomp filter, before compilation."""

    default_action: str
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    listener_path: str = ""
    listener_metadata: str = ""
    syscalls: tuple[Syscall, ...] = ()


class TimeOffset(_Part):
    """An offset of a clock in a new time namespace."""

    secs: int = 0
    nanosecs: int = 0


class Personality(_Part):
    """The execution domain (`LINUX`, `LINUX32`)."""

    domain: str = ""
    flags: tuple[str, ...] = ()


class Linux(_Part):
    """What only Linux has."""

    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMapping, ...] = ()
    gid_mappings: tuple[IdMapping, ...] = ()
    time_offsets: dict[str, TimeOffset] = msgspec.field(default_factory=dict)
    devices: tuple[LinuxDevice, ...] = ()
    cgroups_path: str = ""
    resources: LinuxResources | None = None
    seccomp: Seccomp | None = None
    rootfs_propagation: str = ""
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    mount_label: str = ""
    sysctl: dict[str, str] = msgspec.field(default_factory=dict)
    personality: Personality | None = None


class Spec(_Part):
    """The whole document."""

    oci_version: str = msgspec.field(name="ociVersion")
    process: Process | None = None
    root: Root | None = None
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[Mount, ...] = ()
    hooks: Hooks | None = None
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    linux: Linux | None = None


def encode(spec: Spec) -> bytes:
    """The document's bytes."""
    return msgspec.json.encode(spec)


def decode(document: bytes) -> Spec:
    """The document as types; msgspec.ValidationError or DecodeError when it is not one."""
    return msgspec.json.decode(document, type=Spec)
