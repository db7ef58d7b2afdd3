"""Map elements by our own messages, in a network namespace of the test's own."""

import struct

import pytest

from pier.kernel.nftables import Element, LibraryError, Table, run_commands
from tests.kernel.test_netlink import in_new_namespace

pytestmark = pytest.mark.root

TABLE = """
add table ip t
add map ip t ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
add map ip t ranges { type inet_proto . inet_service : ipv4_addr; flags interval; }
"""


def key(number: int) -> bytes:
    return struct.pack("!B3xH2x", 6, number)


def element(number: int, target: int = 80) -> Element:
    return Element("ports", key(number), b"\x0a\0\0\2" + struct.pack("!H2x", target))


def test_elements_come_and_go() -> None:
    def work() -> None:
        run_commands(TABLE)
        table = Table("t")
        table.change(add=[element(80), element(81)])
        assert set(table.elements("ports")) == {element(80), element(81)}
        table.change(add=[element(82)], remove=[element(80)])
        assert set(table.elements("ports")) == {element(81), element(82)}
        table.change()
        table.close()

    in_new_namespace(work)


def test_an_interval_is_one_element() -> None:
    def work() -> None:
        run_commands(TABLE)
        table = Table("t")
        interval = Element("ranges", key(8000), b"\x0a\0\0\2", key(9000))
        table.change(add=[interval])
        assert table.elements("ranges") == [interval]
        table.change(remove=[interval])
        assert table.elements("ranges") == []
        table.close()

    in_new_namespace(work)


def test_a_change_happens_whole_or_not_at_all() -> None:
    def work() -> None:
        run_commands(TABLE)
        table = Table("t")
        table.change(add=[element(80)])
        with pytest.raises(OSError, match="File exists"):
            table.change(add=[element(81), element(80, target=99)])
        with pytest.raises(OSError, match="No such file"):
            table.change(add=[element(82)], remove=[element(83)])
        assert table.elements("ports") == [element(80)]
        table.close()

    in_new_namespace(work)


def test_thousands_of_elements_fit_one_transaction() -> None:
    def work() -> None:
        run_commands(TABLE)
        table = Table("t")
        many = [element(number) for number in range(1, 5001)]
        table.change(add=many)
        assert set(table.elements("ports")) == set(many)
        table.change(remove=many)
        assert table.elements("ports") == []
        table.close()

    in_new_namespace(work)


def test_a_table_is_removed_once_or_twice() -> None:
    def work() -> None:
        table = Table("t")
        assert not table.exists()
        run_commands(TABLE)
        assert table.exists()
        table.delete()
        table.delete()
        assert not table.exists()
        with pytest.raises(OSError, match="No such file"):
            table.change(add=[element(80)])
        table.close()

    in_new_namespace(work)


def test_a_bad_rule_set_changes_nothing_and_says_why() -> None:
    def work() -> None:
        with pytest.raises(LibraryError, match="syntax error"):
            run_commands(TABLE + "nonsense\n")
        table = Table("t")
        assert not table.exists()
        table.close()

    in_new_namespace(work)
