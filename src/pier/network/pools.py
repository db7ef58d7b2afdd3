"""Address pools: where the subnets of networks come from whose users name none. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from pier.spec.errors import Forbidden, InvalidParameter


@dataclass(frozen=True, slots=True)
class AddressPool:
    """A range of addresses, `base`, cut into subnets with prefixes of `size` bits."""

    base: IPv4Network
    size: int


# Docker's: sixteens of 172.17…172.31, then twenties of 192.168.
DEFAULT_POOLS = (
    *(AddressPool(IPv4Network(f"172.{number}.0.0/16"), 16) for number in range(17, 32)),
    AddressPool(IPv4Network("192.168.0.0/16"), 20),
)


def parse_pool(text: str) -> AddressPool:
    """Read `base=10.0.0.0/8,size=24`, as Docker writes a pool. InvalidParameter says what is wrong with it."""
    fields = dict(_field(field) for field in text.split(","))
    base, size = _base(fields.get("base", "")), _size(fields.get("size", ""))
    if not base.prefixlen <= size <= 30:
        raise InvalidParameter(f"invalid pool {text}: the size must be between {base.prefixlen} and 30")
    return AddressPool(base, size)


def _field(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals:
        raise InvalidParameter(f"invalid field '{text}' must be a key=value pair")
    if key.lower() not in ("base", "size"):
        raise InvalidParameter(f"unexpected key '{key}' in '{text}'")
    return key.lower(), value


def _base(text: str) -> IPv4Network:
    if ":" in text:
        raise InvalidParameter(f'invalid base pool "{text}": IPv6 pools are not supported')
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        raise InvalidParameter(f'invalid base pool "{text}": invalid CIDR address: {text}') from None


def _size(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 3:
        raise InvalidParameter(f'invalid size value: "{text}" (must be integer)')
    return int(text)


def free_subnet(used: Iterable[IPv4Network], pools: Iterable[AddressPool] = DEFAULT_POOLS) -> IPv4Network:
    """Return the first subnet of the pools that overlaps nothing in use.

    Forbidden when there is none, as Docker says. Whole blocks in use are stepped over, so that a pool of a million
    subnets costs no more than what is used of it.
    """
    blocks = list(_merged(used))
    for pool in pools:
        start, end = int(pool.base.network_address), int(pool.base.broadcast_address)
        step = 1 << (32 - pool.size)
        while start <= end:
            block = _overlapping(blocks, start, start + step - 1)
            if block is None:
                return IPv4Network((start, pool.size))
            start = (block[1] // step + 1) * step
    raise Forbidden("all predefined address pools have been fully subnetted")


def _merged(used: Iterable[IPv4Network]) -> Iterator[tuple[int, int]]:
    """The ranges in use, sorted, none inside or beside another's."""
    ranges = sorted((int(one.network_address), int(one.broadcast_address)) for one in used)
    first, last = -1, -2
    for low, high in ranges:
        if low > last + 1:
            if first >= 0:
                yield first, last
            first = low
        last = max(last, high)
    if first >= 0:
        yield first, last


def _overlapping(blocks: list[tuple[int, int]], low: int, high: int) -> tuple[int, int] | None:
    """The block that reaches furthest into `low`…`high`."""
    at = bisect_right(blocks, (high, 1 << 32)) - 1
    return blocks[at] if at >= 0 and blocks[at][1] >= low else None
