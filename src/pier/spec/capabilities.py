"""Which capabilities a container gets: Docker's fourteen, changed by CapAdd and CapDrop; pure.

Source: moby `daemon/pkg/oci/caps`. `ALL` grants what the host can grant; a single name that the host lacks is refused,
as Docker does.
"""

from collections.abc import Iterable, Sequence

from pier.spec.errors import InvalidParameter

DEFAULT = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FSETID",
    "CAP_FOWNER",
    "CAP_MKNOD",
    "CAP_NET_RAW",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETFCAP",
    "CAP_SETPCAP",
    "CAP_NET_BIND_SERVICE",
    "CAP_SYS_CHROOT",
    "CAP_KILL",
    "CAP_AUDIT_WRITE",
)
ALL = "ALL"


def normalized(names: Iterable[str], known: Sequence[str], available: frozenset[str]) -> tuple[str, ...]:
    """The names in upper case with their prefix, `ALL` kept. InvalidParameter for one that Linux or this host does not
    have.
    """
    result = []
    for name in names:
        upper = name.upper()
        if upper == ALL:
            result.append(ALL)
            continue
        if not upper.startswith("CAP_"):
            upper = f"CAP_{upper}"
        if upper not in known:
            raise InvalidParameter(f'unknown capability: "{upper}"')
        if upper not in available:
            raise InvalidParameter(
                f'capability not supported by your kernel or not available in the current environment: "{upper}"'
            )
        result.append(upper)
    return tuple(result)


def granted(
    add: Sequence[str] | None,
    drop: Sequence[str] | None,
    *,
    privileged: bool,
    known: Sequence[str],
    available: frozenset[str],
) -> tuple[str, ...]:
    """The bounding set of a container.

    Privileged: everything available. ALL in `drop` starts from nothing, ALL in `add` from everything. Docker fails
    privileged containers where the host lacks a capability; we grant the rest.
    """
    everything = tuple(name for name in known if name in available)
    if privileged:
        return everything
    added = normalized(add or (), known, available)
    # dropping what the host cannot grant anyway asks for nothing impossible
    dropped = normalized(drop or (), known, frozenset(known))
    if ALL in added:
        return tuple(name for name in everything if name not in dropped)
    if ALL in dropped:
        return tuple(dict.fromkeys(name for name in added if name != ALL))
    base = [name for name in DEFAULT if name in available and name not in dropped]
    return tuple(dict.fromkeys([*base, *(name for name in added if name not in dropped)]))
