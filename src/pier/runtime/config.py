"""OCI config.json as the runtime's own processes read it: plain typed dictionaries.

The spawner's processes load no package from outside the standard library, so `spec/runtime_config.py`, which the
engine writes the document with, is out of their reach. Source: https://github.com/opencontainers/runtime-spec (1.2).
"""

from typing import Any, TypedDict


class User(TypedDict, total=False):
    """Who runs the program."""

    uid: int
    gid: int
    umask: int
    additionalGids: list[int]


class Capabilities(TypedDict, total=False):
    """The five sets, by name."""

    bounding: list[str]
    effective: list[str]
    inheritable: list[str]
    permitted: list[str]
    ambient: list[str]


class Rlimit(TypedDict):
    """One limit."""

    type: str
    hard: int
    soft: int


class ConsoleSize(TypedDict):
    """A window."""

    height: int
    width: int


class Process(TypedDict, total=False):
    """The program."""

    terminal: bool
    consoleSize: ConsoleSize
    user: User
    args: list[str]
    env: list[str]
    cwd: str
    capabilities: Capabilities
    rlimits: list[Rlimit]
    noNewPrivileges: bool
    apparmorProfile: str
    selinuxLabel: str
    oomScoreAdj: int


class Mount(TypedDict, total=False):
    """One mount."""

    destination: str
    type: str
    source: str
    options: list[str]


class Namespace(TypedDict, total=False):
    """A namespace, new or to be joined."""

    type: str
    path: str


class Device(TypedDict, total=False):
    """A device node."""

    path: str
    type: str
    major: int
    minor: int
    fileMode: int
    uid: int
    gid: int


class Root(TypedDict, total=False):
    """The root file system."""

    path: str
    readonly: bool


class IdMapping(TypedDict):
    """A range of a user namespace's map."""

    containerID: int
    hostID: int
    size: int


class TimeOffset(TypedDict, total=False):
    """An offset of a clock."""

    secs: int
    nanosecs: int


class Hook(TypedDict, total=False):
    """A program of the caller's."""

    path: str
    args: list[str]
    env: list[str]
    timeout: int


class Linux(TypedDict, total=False):
    """The platform's part."""

    namespaces: list[Namespace]
    uidMappings: list[IdMapping]
    gidMappings: list[IdMapping]
    timeOffsets: dict[str, TimeOffset]
    devices: list[Device]
    maskedPaths: list[str]
    readonlyPaths: list[str]
    rootfsPropagation: str
    sysctl: dict[str, str]
    resources: dict[str, Any]
    cgroupsPath: str
    mountLabel: str


class Config(TypedDict, total=False):
    """The document."""

    ociVersion: str
    hostname: str
    domainname: str
    process: Process
    root: Root
    mounts: list[Mount]
    linux: Linux
    hooks: dict[str, Any]
    annotations: dict[str, str]
