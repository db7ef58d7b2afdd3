"""From what was asked for to the mounts of a container: which wins where two meet, what is made, what is copied;
pure.
"""

from collections.abc import Callable, Iterable

from pier.engine.mount_specs import Asked, parse_bind, parse_image_volume, parse_mount, parse_volumes_from
from pier.engine.record import Mounted, Record
from pier.spec.containers import ContainerConfig, HostConfig, MountPoint
from pier.spec.errors import InvalidParameter


def plan_mounts(
    config: ContainerConfig,
    host_config: HostConfig,
    *,
    find: Callable[[str], Record],
    new_name: Callable[[], str],
    data_root: str,
) -> tuple[Mounted, ...]:
    """The mounts of a new container, in the order in which Docker resolves them: --volumes-from, -v, --mount, the
    image's.

    Volumes have names and no source yet; `new_name` names the anonymous ones. `data_root` decides the propagation of
    binds.
    """
    chosen = _inherited(host_config.VolumesFrom or (), find)
    asked = [parse_bind(text, host_config.VolumeDriver) for text in host_config.Binds or ()]
    asked += [parse_mount(mount) for mount in host_config.Mounts or ()]
    seen: set[str] = set(host_config.Tmpfs or ())
    for each in asked:
        if each.destination in seen:
            raise InvalidParameter(f"Duplicate mount point: {each.destination}")
        seen.add(each.destination)
        chosen[each.destination] = _mounted(each, new_name, data_root)
    for path in sorted(config.Volumes or ()):
        each = parse_image_volume(path)
        if each.destination not in chosen and each.destination not in seen:
            chosen[each.destination] = _mounted(each, new_name, data_root)
    return tuple(chosen.values())


def _inherited(references: Iterable[str], find: Callable[[str], Record]) -> dict[str, Mounted]:
    chosen: dict[str, Mounted] = {}
    for text in references:
        reference, mode = parse_volumes_from(text)
        for mounted in find(reference).mounts:
            point = mounted.point
            if point.Type == "tmpfs":
                continue
            shared = MountPoint(
                Type=point.Type,
                Name=point.Name,
                Source=point.Source,
                Destination=point.Destination,
                Driver=point.Driver,
                Mode="" if mode == "rw" else mode,
                RW=point.RW and "ro" not in mode.split(","),
                Propagation=point.Propagation,
            )
            chosen[point.Destination] = Mounted(shared, anonymous=mounted.anonymous, request=mounted.request)
    return chosen


def _mounted(asked: Asked, new_name: Callable[[], str], data_root: str) -> Mounted:
    anonymous = asked.type == "volume" and not asked.name
    point = MountPoint(
        Type=asked.type,
        Name=(asked.name or new_name()) if asked.type == "volume" else "",
        Source=asked.source,
        Destination=asked.destination,
        Driver=(asked.driver or "local") if asked.type == "volume" else "",
        Mode=asked.mode,
        RW=asked.writable,
        Propagation=_propagation(asked, data_root),
    )
    return Mounted(
        point, anonymous=anonymous, copies=asked.copies, makes_source=asked.makes_source, request=asked.request
    )


def _propagation(asked: Asked, data_root: str) -> str:
    """A bind that shows the data root follows its unmounts (rslave), so that it never keeps a container's root
    mounted.
    """
    if asked.type != "bind" or asked.propagation:
        return asked.propagation
    inside = asked.source == "/" or (data_root + "/").startswith(asked.source + "/")
    return "rslave" if inside else "rprivate"
