"""The keys that leave an attached container running, from their names (`ctrl-p,ctrl-q`) to bytes; pure."""

from pier.spec.errors import InvalidParameter

DEFAULT = b"\x10\x11"
_CONTROL = "@abcdefghijklmnopqrstuvwxyz[\\]^_"


def parse_detach_keys(text: str) -> bytes:
    """The bytes of a comma-separated sequence; the default for an empty text, `InvalidParameter` for an unknown key."""
    if not text:
        return DEFAULT
    return bytes(_key(name, text) for name in text.split(","))


def _key(name: str, text: str) -> int:
    if len(name) == 1 and name.isascii():
        return ord(name)
    if name.lower().startswith("ctrl-") and len(name) == 6:
        code = _CONTROL.find(name[5].lower())
        if code >= 0:
            return code
    if name == "DEL":
        return 127
    raise InvalidParameter(f"Invalid detach keys ({text}) provided")
