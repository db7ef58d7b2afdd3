"""What a user proves himself with at a registry, as `X-Registry-Auth` carries it.

Never printed: its text hides the secrets.
"""

import base64
import binascii
from dataclasses import dataclass, field

import msgspec

from pier.spec.errors import InvalidParameter

_MAX_HEADER = 64 << 10


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user's name and password, or a token in their place."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    registry_token: str = field(default="", repr=False)
    server: str = ""

    @property
    def basic(self) -> str:
        """The value of an `Authorization` header of the Basic kind."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")

    @property
    def has_password(self) -> bool:
        """Whether there is a name and a password."""
        return bool(self.username and self.password)


class _Wire(msgspec.Struct):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""
    serveraddress: str = ""


def decode_header(header: str) -> Credentials | None:
    """The credentials in an `X-Registry-Auth` header, None when it is empty.

    InvalidParameter when it cannot be read.
    """
    if not header:
        return None
    if len(header) > _MAX_HEADER:
        raise InvalidParameter("invalid X-Registry-Auth header: too long")
    try:
        raw = base64.b64decode(header.replace("-", "+").replace("_", "/") + "=" * (-len(header) % 4), validate=True)
        wire = msgspec.json.decode(raw, type=_Wire) if raw.strip() else _Wire()
    except (binascii.Error, ValueError, msgspec.DecodeError):
        raise InvalidParameter("invalid X-Registry-Auth header") from None
    username, password = wire.username, wire.password
    if wire.auth and not username:
        username, password = _split(wire.auth)
    return Credentials(username, password, wire.identitytoken, wire.registrytoken, wire.serveraddress)


def _split(auth: str) -> tuple[str, str]:
    try:
        username, _, password = base64.b64decode(auth, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        raise InvalidParameter("invalid X-Registry-Auth header") from None
    return username, password.strip("\0")
