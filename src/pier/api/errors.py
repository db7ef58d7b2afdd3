"""From kinds of error to statuses and Docker's JSON: the only place of the daemon that knows statuses of errors."""

from pier.spec import errors

_STATUS: tuple[tuple[type[errors.PierError], int], ...] = (
    (errors.InvalidParameter, 400),
    (errors.Unauthorized, 401),
    (errors.Forbidden, 403),
    (errors.NotFound, 404),
    (errors.Conflict, 409),
    (errors.NotModified, 304),
    (errors.NotSupported, 501),
    (errors.Unavailable, 503),
    (errors.NoSpace, 507),
    (errors.SystemFailure, 500),
)


class PageNotFound(errors.NotFound):
    """No route has this method and path."""

    def __init__(self) -> None:
        super().__init__("page not found")


def status(error: errors.PierError) -> int:
    """Docker's status of `error`: a program that cannot be started (126, 127) is the client's fault, 125 the host's.

    Docker answers 500 too where the kernel refuses a value of the request; that is the client's fault with us.
    """
    if isinstance(error, errors.StartFailed):
        return 400 if error.refused or error.code in (126, 127) else 500
    for kind, number in _STATUS:
        if isinstance(error, kind):
            return number
    return 500
