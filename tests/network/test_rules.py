"""What the packet rules say, without a kernel."""

from hypothesis import given
from hypothesis import strategies as st

from pier.kernel.nftables import Element
from pier.network.endpoints import Mapping
from pier.network.rules import Segment, difference, elements, table_text


def test_a_single_port_is_an_element_of_the_hash_map() -> None:
    (element,) = elements([Mapping("tcp", "", 8080, 8080, 80)], "172.17.0.2")
    assert element == Element("ports", b"\x06\0\0\0\x1f\x90\0\0", b"\xac\x11\0\x02\0P\0\0")


def test_an_address_of_the_host_is_part_of_the_key() -> None:
    (element,) = elements([Mapping("udp", "127.0.0.1", 53, 53, 5353)], "172.17.0.2")
    assert element.map == "ports_at"
    assert element.key == b"\x7f\0\0\x01\x11\0\0\0\0\x35\0\0"


def test_a_long_range_of_equal_numbers_is_one_interval() -> None:
    (element,) = elements([Mapping("tcp", "", 10000, 20000, 10000)], "172.17.0.2")
    assert element.map == "ranges"
    assert element.key.hex() == "0600000027100000"
    assert element.key_end.hex() == "060000004e200000"
    assert element.value == b"\xac\x11\0\x02"


def test_a_long_range_with_other_numbers_inside_is_single_ports() -> None:
    found = elements([Mapping("tcp", "", 10000, 10099, 20000)], "172.17.0.2")
    assert len(found) == 100
    assert {element.map for element in found} == {"ports"}


def test_an_internal_network_has_no_way_out() -> None:
    text = table_text("t", [Segment("br-a", "10.0.0.0/24", internal=True)])
    assert 'iifname "br-a" oifname != "br-a" drop' in text
    assert "10.0.0.0/24 oifname" not in text


def test_without_icc_neighbours_are_not_let_through() -> None:
    assert 'iifname "a" oifname "a" accept' in table_text("t", [Segment("a", "10.0.0.0/24")])
    assert 'iifname "a" oifname "a" accept' not in table_text("t", [Segment("a", "10.0.0.0/24", icc=False)])


def test_no_line_names_another_table() -> None:
    for line in table_text("pier-x", [Segment("a", "10.0.0.0/24")]).splitlines():
        assert line.split()[:1] in (["add"], ["flush"])
        assert line.split()[2:4] == ["ip", "pier-x"]


some_elements = st.sets(st.builds(Element, st.just("ports"), st.binary(min_size=1, max_size=1), st.binary(max_size=1)))


@given(some_elements, some_elements)
def test_a_difference_turns_what_is_into_what_should_be(desired: set[Element], present: set[Element]) -> None:
    add, remove = difference(desired, present)
    assert (present - set(remove)) | set(add) == desired
    assert not set(add) & set(remove)
    assert set(remove) <= present
