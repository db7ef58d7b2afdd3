"""Address pools: reading them in Docker's spelling, and the first subnet that nothing overlaps."""

import contextlib
from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.network.pools import DEFAULT_POOLS, AddressPool, free_subnet, parse_pool
from pier.spec.errors import Forbidden, InvalidParameter

TEN = AddressPool(IPv4Network("10.0.0.0/8"), 28)


def test_a_pool_is_read_as_docker_writes_it() -> None:
    assert parse_pool("base=10.10.0.0/16,size=24") == AddressPool(IPv4Network("10.10.0.0/16"), 24)
    assert parse_pool("SIZE=24,BASE=10.10.3.0/16") == parse_pool("base=10.10.0.0/16,size=24")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base", "must be a key=value pair"),
        ("base=10.0.0.0/8,step=2", "unexpected key 'step' in 'step=2'"),
        ("base=10.0.0.0/8,size=x", 'invalid size value: "x" (must be integer)'),
        ("base=10.0.0.0/8", 'invalid size value: ""'),
        ("base=ten,size=24", 'invalid base pool "ten": invalid CIDR address: ten'),
        ("base=fd00::/8,size=64", "IPv6 pools are not supported"),
        ("base=10.0.0.0/16,size=8", "the size must be between 16 and 30"),
        ("base=10.0.0.0/16,size=31", "the size must be between 16 and 30"),
    ],
)
def test_a_bad_pool_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        parse_pool(text)
    assert words in caught.value.message


@given(st.text(st.characters(codec="ascii"), max_size=40))
def test_any_text_is_a_pool_or_invalid(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        assert isinstance(parse_pool(text), AddressPool)


def test_the_first_subnet_beside_what_is_in_use_is_given() -> None:
    assert free_subnet([]) == IPv4Network("172.17.0.0/16")
    assert free_subnet([IPv4Network("172.16.0.0/12")]) == IPv4Network("192.168.0.0/20")
    assert free_subnet([IPv4Network("10.0.0.0/24"), IPv4Network("10.0.1.7/32")], [TEN]) == IPv4Network("10.0.1.16/28")


def test_full_pools_are_told_in_dockers_words() -> None:
    with pytest.raises(Forbidden, match="all predefined address pools have been fully subnetted"):
        free_subnet([IPv4Network("0.0.0.0/0")], DEFAULT_POOLS)


def test_thousands_of_networks_find_their_subnets() -> None:
    used: list[IPv4Network] = []
    for _ in range(300):
        used.append(free_subnet(used, [TEN]))
    assert len(set(used)) == 300
    assert free_subnet([IPv4Network("10.0.0.0/9")], [TEN]) == IPv4Network("10.128.0.0/28")


@given(st.lists(st.builds(lambda at, size: IPv4Network((at >> (32 - size) << (32 - size), size)),
                          st.integers(0x0A000000, 0x0A00FFFF), st.integers(20, 32)), max_size=12))  # fmt: skip
def test_what_is_found_overlaps_nothing_and_nothing_before_it_is_free(used: list[IPv4Network]) -> None:
    pool = AddressPool(IPv4Network("10.0.0.0/16"), 24)
    expected = next((one for one in pool.base.subnets(new_prefix=24) if not any(map(one.overlaps, used))), None)
    try:
        found: IPv4Network | None = free_subnet(used, [pool])
    except Forbidden:
        found = None
    assert found == expected
