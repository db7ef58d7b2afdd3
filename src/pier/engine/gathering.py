"""What the OCI configuration of a container must know, looked up on the host: accounts, devices, other containers.
Plain.
"""

import os
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress

from pier.engine.container import Container
from pier.engine.oci.facts import Attached, ContainerFacts, DeviceNode, Joined
from pier.engine.oci.identity import resolve
from pier.engine.parts import Parts
from pier.engine.record import Mounted, Record
from pier.runtime import accounts
from pier.spec import mountinfo
from pier.spec.containers import HostConfig
from pier.spec.errors import Conflict, InvalidParameter

Find = Callable[[str], Container]


def gather(record: Record, parts: Parts, joined: Joined, files_of: str = "") -> ContainerFacts:
    """The facts of one container at this moment; `files_of` is the id of the container whose network files it
    shares.
    """
    directory = parts.layout.container(record.id)
    files = parts.layout.container(files_of) if files_of else directory
    host_config = record.host_config
    lowers = tuple(str(parts.layout.layer(layer)) for layer in record.layers)
    return ContainerFacts(
        id=record.id,
        config=record.config,
        host_config=host_config,
        path=record.path,
        args=record.args,
        root=str(directory / "merged"),
        cgroup=f"{parts.cgroup_parent}/{record.id}",
        accounts=accounts.read(lowers, str(directory / "upper")),
        hosts_path=str(files / "hosts"),
        hostname_path=str(files / "hostname"),
        resolv_conf_path=str(files / "resolv.conf"),
        mounts=tuple(_attached(mounted) for mounted in record.mounts),
        joined=joined,
        init_path=parts.init_path,
        devices={each.PathOnHost: _nodes(each.PathOnHost) for each in host_config.Devices or ()},
        host_devices=_below("/dev") if host_config.Privileged else (),
        block_devices=dict(_numbers(path) for path in _throttled(host_config)),
        shared_sources=_shared(record.mounts),
    )


def owner_of(record: Record, parts: Parts) -> tuple[int, int]:
    """The container's user and group, as its own files name them."""
    directory = parts.layout.container(record.id)
    lowers = tuple(str(parts.layout.layer(layer)) for layer in record.layers)
    identity = resolve(record.config.User, (), accounts.read(lowers, str(directory / "upper")))
    return identity.uid, identity.gid


def join(record: Record, find: Find) -> Joined:
    """The namespaces of other containers that this one takes; `Conflict` in Docker's words when they are not
    running.
    """
    host_config = record.host_config
    return Joined(
        network=_namespace(host_config.NetworkMode, "net", find, record),
        ipc=_namespace(host_config.IpcMode, "ipc", find, record),
        pid=_namespace(host_config.PidMode, "pid", find, record),
        shm=_shm(host_config.IpcMode, find),
    )


def _namespace(mode: str, kind: str, find: Find, record: Record) -> str:
    if not mode.startswith("container:"):
        return ""
    other = find(mode.removeprefix("container:"))
    if other.id == record.id:
        raise Conflict(f"cannot join own {_SPOKEN[kind]} namespace")
    if kind == "ipc" and other.record.host_config.IpcMode not in ("shareable", "host"):
        hint = "non-shareable IPC (hint: use IpcMode:shareable for the donor container)"
        raise Conflict(f"cannot join IPC of container {other.id}: {hint}")
    if not other.state.running or not other.state.pid:
        raise Conflict(f"cannot join {_SPOKEN[kind]} of a non running container: {other.id}")
    if other.state.status == "restarting":
        raise Conflict(f"Container {other.id} is restarting, wait until the container is running")
    return f"/proc/{other.state.pid}/ns/{kind}"


_SPOKEN = {"net": "network", "ipc": "IPC", "pid": "PID"}


def _shm(mode: str, find: Find) -> str:
    if not mode.startswith("container:"):
        return ""
    return f"/proc/{find(mode.removeprefix('container:')).state.pid}/root/dev/shm"


def _attached(mounted: Mounted) -> Attached:
    point = mounted.point
    return Attached(
        type=point.Type,
        destination=point.Destination,
        source=point.Source,
        writable=point.RW,
        propagation=point.Propagation,
        mode=point.Mode,
        request=mounted.request,
    )


def _nodes(path: str) -> tuple[DeviceNode, ...]:
    """A device, or all below a directory; the error is Docker's when there is none."""
    try:
        real = os.path.realpath(path)
        if os.path.isdir(real):
            return _below(real)
        node = _node(path)
    except OSError:
        raise InvalidParameter(
            f'error gathering device information while adding custom device "{path}": no such file or directory'
        ) from None
    if node is None:
        raise InvalidParameter(
            f'error gathering device information while adding custom device "{path}": not a device node'
        )
    return (node,)


def _node(path: str) -> DeviceNode | None:
    status = os.stat(path)
    kind = "b" if stat.S_ISBLK(status.st_mode) else "c" if stat.S_ISCHR(status.st_mode) else ""
    if not kind:
        return None
    return DeviceNode(
        path=path,
        type=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


_NOT_DEVICES = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})


def _below(directory: str) -> tuple[DeviceNode, ...]:
    found: list[DeviceNode] = []
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_symlink() or entry.name == "console":
            continue
        with suppress(FileNotFoundError):  # devices come and go
            if entry.is_dir():
                if entry.name not in _NOT_DEVICES:
                    found += _below(entry.path)
            elif (node := _node(entry.path)) is not None:
                found.append(node)
    return tuple(found)


def _throttled(host_config: HostConfig) -> Iterable[str]:
    lists = (
        host_config.BlkioWeightDevice,
        host_config.BlkioDeviceReadBps,
        host_config.BlkioDeviceWriteBps,
        host_config.BlkioDeviceReadIOps,
        host_config.BlkioDeviceWriteIOps,
    )
    return {entry.Path for entries in lists for entry in entries or ()}


def _numbers(path: str) -> tuple[str, tuple[int, int]]:
    try:
        status = os.stat(path)
    except OSError as error:
        raise InvalidParameter(f"{path}: {(error.strerror or '').lower()}") from None
    return path, (os.major(status.st_rdev), os.minor(status.st_rdev))


def _shared(mounts: Iterable[Mounted]) -> dict[str, str]:
    """For binds that want propagation: how the mount below their source propagates."""
    sources = {m.point.Source for m in mounts if m.point.Propagation in ("shared", "rshared", "slave", "rslave")}
    if not sources:
        return {}
    kinds = {mount.point: _propagation(mount) for mount in mountinfo.parse(mountinfo.SELF.read_bytes())}
    return {source: kinds[_mount_of(source, kinds)] for source in sources}


def _propagation(mount: mountinfo.Line) -> str:
    if any(tag.startswith("shared:") for tag in mount.tags):
        return "shared"
    return "slave" if any(tag.startswith("master:") for tag in mount.tags) else ""


def _mount_of(path: str, kinds: dict[str, str]) -> str:
    while path not in kinds and path != "/":
        path = os.path.dirname(path)
    return path if path in kinds else next(iter(kinds))
