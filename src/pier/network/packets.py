"""The daemon's nftables table at work: laid at start and when networks change, and per container only its elements."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from pier.kernel.conntrack import forget_udp
from pier.kernel.netlink import NetlinkError
from pier.kernel.nftables import Element, Table, run_commands
from pier.network.endpoints import Mapping
from pier.network.rules import MAPS, Segment, difference, elements, table_text
from pier.spec.errors import SystemFailure


class PacketRules:
    """Rules and published ports of one daemon. Thread-safe."""

    def __init__(self, name: str) -> None:
        self._table = Table(name)

    def close(self, *, remove: bool) -> None:
        """Let go of the table, and with `remove` take it out of the kernel."""
        if remove:
            self._table.delete()
        self._table.close()

    def lay(self, segments: Sequence[Segment], desired: Iterable[Element]) -> None:
        """Bring the rules up to date; published ports stay open meanwhile. SystemFailure when the kernel refuses.

        Maps of another shape (an older Pier's) are replaced with the whole table; `desired` fills them again.
        """
        text = table_text(self._table.name, segments)
        try:
            run_commands(text)
        except OSError:
            try:
                run_commands(f"add table ip {self._table.name}\ndelete table ip {self._table.name}\n{text}")
                self.reconcile(desired)
            except OSError as error:
                raise SystemFailure(f"packet rules cannot be laid: {error.strerror}") from error

    def reconcile(self, desired: Iterable[Element]) -> None:
        """Make the maps hold exactly the desired elements, touching only differences."""
        present = [element for name in MAPS for element in self._table.elements(name)]
        add, remove = difference(desired, present)
        self._table.change(add=add, remove=remove)

    def publish(self, mappings: Sequence[Mapping], address: str) -> None:
        """Open ports in one transaction. Raises OSError with nothing opened."""
        self._table.change(add=elements(mappings, address))
        _forget_flows(mappings, address)

    def withdraw(self, mappings: Sequence[Mapping], address: str) -> None:
        """Close ports. Those that somebody else has flushed are no error."""
        gone = elements(mappings, address)
        try:
            self._table.change(remove=gone)
        except NetlinkError:
            for element in gone:
                with suppress(NetlinkError):
                    self._table.change(remove=(element,))
        _forget_flows(mappings, address)


def _forget_flows(mappings: Sequence[Mapping], address: str) -> None:
    """A client that sends datagrams from one port again and again must meet the new state of things, not the tracked
    one.
    """
    published = [mapping for mapping in mappings if mapping.protocol == "udp"]
    if not published:
        return
    container = IPv4Address(address).packed
    with suppress(OSError):  # a kernel without ctnetlink: flows end by their time
        forget_udp(
            lambda flow: (
                flow.answering == container or any(mapping.first <= flow.port <= mapping.last for mapping in published)
            )
        )
