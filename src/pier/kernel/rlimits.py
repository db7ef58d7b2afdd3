"""Resource limits by their OCI names."""

import resource

NUMBER: dict[str, int] = {
    f"RLIMIT_{name}": number
    for number, name in enumerate(
        ("CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS", "LOCKS", "SIGPENDING",
         "MSGQUEUE", "NICE", "RTPRIO", "RTTIME")
    )
}  # fmt: skip
_INFINITY = 2**64 - 1


def set_limit(number: int, soft: int, hard: int) -> None:
    """Set one limit of this process. Raises OSError(EPERM) when `hard` is above what it may have."""
    try:
        resource.setrlimit(number, (_word(soft), _word(hard)))
    except ValueError as error:  # the resource module's word for EPERM and EINVAL
        raise PermissionError(1, "operation not permitted") from error


def _word(limit: int) -> int:
    return resource.RLIM_INFINITY if limit >= _INFINITY or limit < 0 else limit
