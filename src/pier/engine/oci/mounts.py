"""The mounts of a container, in order: Docker's own file systems, then the user's, parents before children; pure.

Source: moby `daemon/pkg/oci/defaults.go`, `daemon/oci_linux.go` (WithMounts) and `volume/mounts/linux_parser.go`.
"""

from collections.abc import Mapping, Sequence

from pier.engine.oci.facts import Attached, ContainerFacts
from pier.engine.oci.tmpfs import merged_options, mount_options
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Mount

_STRICT = ("nosuid", "noexec", "nodev")
_DEFAULT = (
    Mount(destination="/proc", type="proc", source="proc", options=_STRICT),
    Mount(
        destination="/dev", type="tmpfs", source="tmpfs", options=("nosuid", "strictatime", "mode=755", "size=65536k")
    ),
    Mount(
        destination="/dev/pts",
        type="devpts",
        source="devpts",
        options=("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    Mount(destination="/sys", type="sysfs", source="sysfs", options=(*_STRICT, "ro")),
    Mount(destination="/sys/fs/cgroup", type="cgroup", source="cgroup", options=("ro", *_STRICT)),
    Mount(destination="/dev/mqueue", type="mqueue", source="mqueue", options=_STRICT),
    Mount(destination="/dev/shm", type="tmpfs", source="shm", options=(*_STRICT, "mode=1777")),
)
# what a read-only root leaves writable, or is read-only anyway
_STAYS_WRITABLE = frozenset({"/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"})
_SHARED = frozenset({"shared", "rshared"})
_SLAVE = frozenset({"slave", "rslave"})


def mounts(facts: ContainerFacts) -> tuple[Mount, ...]:
    """Every mount, in the order to make them."""
    own = sorted([*_user_mounts(facts), *_network_files(facts)], key=_depth)
    taken = {mount.destination for mount in own}
    own_sys = [mount for mount in _defaults(facts) if not _replaced(mount.destination, taken)]
    if facts.host_config.ReadonlyRootfs:
        own_sys = [_read_only(mount) for mount in own_sys]
    if facts.host_config.Privileged:
        own_sys = [_writable(mount) for mount in own_sys]
    return (*own_sys, *own)


def rootfs_propagation(facts: ContainerFacts) -> str:
    """What the root must propagate for the binds' sake: shared, rslave or nothing.

    InvalidParameter when a bind's source cannot propagate as asked.
    """
    result = ""
    for mount in facts.mounts:
        kind = facts.shared_sources.get(mount.source, "")
        if mount.propagation in _SHARED:
            if kind != "shared":
                raise InvalidParameter(f"path {mount.source} is not a shared mount")
            result = "shared"
        elif mount.propagation in _SLAVE and result != "shared":
            if kind in ("shared", "slave"):
                result = "rslave"
            elif _asked_for(mount):
                raise InvalidParameter(f"path {mount.source} is not a shared or slave mount")
    return result


def _asked_for(mount: Attached) -> bool:
    """Whether the client named the propagation; what the engine chose itself may fall back to private."""
    options = mount.request.BindOptions if mount.request else None
    return bool(options and options.Propagation) or not _SLAVE.isdisjoint(mount.mode.split(","))


def _depth(mount: Mount) -> int:
    return mount.destination.rstrip("/").count("/")


def _replaced(destination: str, taken: set[str]) -> bool:
    return destination in taken or ("/dev" in taken and destination.startswith("/dev/"))


def _defaults(facts: ContainerFacts) -> list[Mount]:
    host_config = facts.host_config
    found = []
    for mount in _DEFAULT:
        if mount.destination == "/dev/shm":
            if host_config.IpcMode == "none":
                continue
            mount = _shm(facts, mount)
        found.append(mount)
    return found


def _shm(facts: ContainerFacts, mount: Mount) -> Mount:
    """/dev/shm: a tmpfs of its own, the host's, or that of the container whose IPC namespace is joined."""
    source = facts.joined.shm if facts.joined.ipc else "/dev/shm" if facts.host_config.IpcMode == "host" else ""
    if source:
        return Mount(destination="/dev/shm", type="bind", source=source, options=("rbind", "rprivate"))
    return Mount(
        destination=mount.destination,
        type=mount.type,
        source=mount.source,
        options=(*mount.options, f"size={facts.host_config.ShmSize}"),
    )


def _network_files(facts: ContainerFacts) -> list[Mount]:
    """Binds of the engine's own files, where the user has mounted nothing."""
    taken = {mount.destination for mount in facts.mounts}
    options = ("rbind", "rprivate", *(("ro",) if facts.host_config.ReadonlyRootfs else ()))
    return [
        Mount(destination=destination, type="bind", source=source, options=options)
        for destination, source in (
            ("/etc/resolv.conf", facts.resolv_conf_path),
            ("/etc/hostname", facts.hostname_path),
            ("/etc/hosts", facts.hosts_path),
        )
        if source and destination not in taken
    ]


def _user_mounts(facts: ContainerFacts) -> list[Mount]:
    found = [_attached(mount, facts.shared_sources) for mount in facts.mounts]
    for destination, options in (facts.host_config.Tmpfs or {}).items():
        words = ("noexec", "nosuid", "nodev", "rprivate", *(word for word in options.split(",") if word))
        found.append(Mount(destination=destination, type="tmpfs", source="tmpfs", options=merged_options(words)))
    return found


def _attached(mount: Attached, shared_sources: Mapping[str, str]) -> Mount:
    if mount.type == "tmpfs":
        options = merged_options(("noexec", "nosuid", "nodev", "rprivate", *mount_options(mount.request)))
        options = options if mount.writable else (*options, "ro")
        return Mount(destination=mount.destination, type="tmpfs", source="tmpfs", options=options)
    bind = mount.request.BindOptions if mount.request else None
    words = ["bind" if bind and bind.NonRecursive else "rbind"]
    if not mount.writable:
        # a read-only bind is read-only below too, as since API 1.44, unless the client says otherwise
        words.append("ro" if mount.type != "bind" or (bind and bind.ReadOnlyNonRecursive) else "rro")
    words.append(_propagation(mount, shared_sources))
    return Mount(destination=mount.destination, type="bind", source=mount.source, options=tuple(words))


def _propagation(mount: Attached, shared_sources: Mapping[str, str]) -> str:
    if mount.propagation in _SLAVE and not shared_sources.get(mount.source):
        return "rprivate"  # the engine's own choice for its data root; a client's is refused before
    return mount.propagation or "rprivate"


def _read_only(mount: Mount) -> Mount:
    if mount.destination in _STAYS_WRITABLE or "ro" in mount.options:
        return mount
    return _with(mount, (*mount.options, "ro"))


def _writable(mount: Mount) -> Mount:
    if mount.destination not in ("/sys", "/sys/fs/cgroup"):
        return mount
    return _with(mount, tuple(word for word in mount.options if word != "ro"))


def _with(mount: Mount, options: Sequence[str]) -> Mount:
    return Mount(destination=mount.destination, type=mount.type, source=mount.source, options=tuple(options))
