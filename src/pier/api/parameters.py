"""The query of a request, read as Docker reads it: booleans, numbers, time stamps and filters, with Docker's texts."""

from urllib.parse import parse_qsl

from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

_FALSE = frozenset({"", "0", "no", "false", "none"})


class Query:
    """The parameters of a URL. A parameter given twice has its first value; `all` gives every one."""

    __slots__ = ("_pairs",)

    def __init__(self, text: str) -> None:
        self._pairs = parse_pairs(text) if text else []

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self._pairs)

    def string(self, name: str, default: str = "") -> str:
        """The text of `name`."""
        return next((value for key, value in self._pairs if key == name), default)

    def all(self, name: str) -> list[str]:
        """Every value of `name`, in order."""
        return [value for key, value in self._pairs if key == name]

    def boolean(self, name: str, default: bool = False) -> bool:
        """Docker's truth: false is "", 0, no, false or none in any case; all else is true."""
        if name not in self:
            return default
        return self.string(name).strip().lower() not in _FALSE

    def integer(self, name: str, default: int = 0) -> int:
        """A signed 64-bit number in decimal; an empty or missing one is `default`."""
        text = self.string(name)
        return parse_integer(text) if text else default

    def optional_integer(self, name: str) -> int | None:
        """As `integer`; None when the parameter is missing or empty."""
        text = self.string(name)
        return parse_integer(text) if text else None

    def filters(self, name: str = "filters") -> Filters:
        """The filters of a list."""
        return Filters.parse(self.string(name))


def parse_pairs(text: str) -> list[tuple[str, str]]:
    """`a=1&b=2`, in order. Bytes that are no UTF-8 are refused: no name of ours has them."""
    try:
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100_000)
    except (UnicodeDecodeError, ValueError):
        raise InvalidParameter("invalid query string") from None


def parse_integer(text: str) -> int:
    """Go's `strconv.ParseInt(text, 10, 64)`, with its errors."""
    digits = text[1:] if text[:1] in "+-" else text
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidParameter(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    number = int(text) if len(digits) < 30 else 1 << 64
    if not -(1 << 63) <= number < 1 << 63:
        raise InvalidParameter(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number
