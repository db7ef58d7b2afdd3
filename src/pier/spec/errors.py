"""The closed set of kinds of error that Pier reports.

    PierError
    ├── InvalidParameter   the request cannot be understood or is out of range
    ├── Unauthorized       credentials are missing or wrong
    ├── Forbidden          understood, and refused by policy
    ├── NotFound           the named thing does not exist
    ├── Conflict           the thing is in a state that forbids the request
    ├── NotModified        the thing already is as asked
    ├── NotSupported       a name that Docker has and Pier does not
    ├── Unavailable        a part that the request needs is off or unreachable
    ├── NoSpace            a disk or quota is full
    ├── StartFailed        the container's program could not be started (exit code in `code`)
    └── SystemFailure      the host failed the engine: nothing the caller can mend in the request

Statuses appear only in `api/errors.py` and `client/`. Messages are in Docker's wording where users see them.
"""


class PierError(Exception):
    """An error that a user sees: `message` is lower case, without a period, and names the thing."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidParameter(PierError):
    """The request cannot be understood, or a value is out of its range."""


class Unauthorized(PierError):
    """Credentials are missing or wrong."""


class Forbidden(PierError):
    """The request is understood and refused by policy."""


class NotFound(PierError):
    """The named thing does not exist."""


class Conflict(PierError):
    """The thing is in a state that forbids the request."""


class NotModified(PierError):
    """The thing already is as the request asks."""


class NotSupported(PierError):
    """A name that Docker has and Pier does not: the message names it and says why."""


class Unavailable(PierError):
    """A part that the request needs is off or cannot be reached."""


class NoSpace(PierError):
    """A disk or a quota is full."""


class StartFailed(PierError):
    """The container's program could not be started; `code` is the exit code Docker gives (125, 126, 127).

    `refused` where the kernel took a value of the request for invalid.
    """

    def __init__(self, message: str, code: int, *, refused: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.refused = refused


class SystemFailure(PierError):
    """The host failed the engine: nothing that the caller could mend in the request."""
