"""Which API version a request speaks: taken from its path, refused outside of the range with Docker's words."""

from pier.http import versions
from pier.spec.errors import InvalidParameter

_MAXIMUM = versions.text(versions.MAXIMUM)
_MINIMUM = versions.text(versions.MINIMUM)


def check(asked: str | None) -> tuple[int, ...]:
    """The version that answers a request whose path says `asked` (None: no version, so the newest)."""
    if asked is None or asked == _MAXIMUM:
        return versions.MAXIMUM
    version = versions.parse(asked)
    if version < versions.MINIMUM:
        raise InvalidParameter(
            f"client version {asked} is too old. Minimum supported API version is {_MINIMUM}, "
            "please upgrade your client to a newer version"
        )
    if version > versions.MAXIMUM:
        raise InvalidParameter(f"client version {asked} is too new. Maximum supported API version is {_MAXIMUM}")
    return version
