"""The client's view of errors: HTTP statuses turned into the kinds of `pier.spec.errors`.

Statuses of answers are known here and nowhere else on the client's side.
"""

from __future__ import annotations

from pier.spec import errors


class ConnectionFailed(errors.Unavailable):
    """No daemon could be reached at the address."""


class ProtocolError(errors.SystemFailure):
    """The daemon's answer is not the HTTP that was expected."""


KINDS: dict[int, type[errors.PierError]] = {
    400: errors.InvalidParameter,
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    405: errors.NotSupported,
    409: errors.Conflict,
    501: errors.NotSupported,
    503: errors.Unavailable,
    507: errors.NoSpace,
}


class DaemonError:
    """Mixed into the kinds raised for an answer of the daemon; the CLI prefixes these with Docker's words."""


_made: dict[type[errors.PierError], type[errors.PierError]] = {}


def from_answer(status: int, message: str) -> errors.PierError:
    """The error for an answer with this status; it is an instance of its kind and of DaemonError."""
    kind = KINDS.get(status, errors.SystemFailure)
    if kind not in _made:
        _made[kind] = type(kind.__name__, (kind, DaemonError), {"__doc__": kind.__doc__})
    return _made[kind](message)
