"""The daemon's nftables table at work: laid at start and when networks change, and per container only its elements."""

import os
import select
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Address

from pier.kernel import chains
from pier.kernel.conntrack import forget_udp
from pier.kernel.netlink import NetlinkError
from pier.kernel.nftables import Element, Losses, Lost, Table, run_commands
from pier.network.endpoints import Mapping
from pier.network.passages import Passages
from pier.network.rules import MAPS, Segment, difference, elements, table_text
from pier.spec.errors import SystemFailure


class PacketRules:
    """Rules and published ports of one daemon. Thread-safe.

    A thread listens for whoever takes something out of the table (`nft flush ruleset`, a firewall's restart) and puts
    it back: without the rules, containers would be less shut off than their users believe. It also keeps our way
    through a filter of others that drops (`Passages`). `desired` tells what to publish.
    """

    def __init__(self, name: str, desired: Callable[[], Iterable[Element]]) -> None:
        self._table = Table(name)
        self._desired = desired
        self._lock = threading.RLock()
        self._text = ""
        self._rules = 0
        self._restored = False
        self._passages = Passages(name)
        self._losses = Losses(name, (chains.TABLE, chains.CHAIN))
        self._end, self._ended = os.pipe2(os.O_CLOEXEC)
        self._guard = threading.Thread(target=self._watch, name="packet rules", daemon=True)
        self._guard.start()

    def close(self, *, remove: bool) -> None:
        """Let go of the table, and with `remove` take it out of the kernel."""
        self.stop_guard()
        if remove:
            self._passages.settle(())
            self._table.delete()
        self._passages.close()
        self._table.close()

    def stop_guard(self) -> None:
        """No longer put back what others take out. A second call does nothing."""
        if self._ended < 0:
            return
        os.close(self._ended)
        self._ended = -1
        self._guard.join()
        os.close(self._end)
        self._losses.close()

    def lay(self, segments: Sequence[Segment]) -> None:
        """Bring the rules up to date; published ports stay open meanwhile. SystemFailure when the kernel refuses."""
        with self._lock:
            self._text = table_text(self._table.name, segments)
            try:
                self._lay()
            except OSError as error:
                raise SystemFailure(f"packet rules cannot be laid: {error.strerror}") from error
            self._passages.settle([segment.bridge for segment in segments])

    def reconcile(self) -> None:
        """Make the maps hold exactly the desired elements, touching only differences; from now on the guard does so
        too.
        """
        with self._lock:
            self._restored = True
            present = [element for name in MAPS for element in self._table.elements(name)]
            add, remove = difference(self._desired(), present)
            self._table.change(add=add, remove=remove)

    def _lay(self) -> None:
        try:
            run_commands(self._text)
        except OSError:  # maps of another shape, an older Pier's: the whole table anew
            run_commands(f"add table ip {self._table.name}\ndelete table ip {self._table.name}\n{self._text}")
            if self._restored:
                self.reconcile()
        self._rules = self._table.rule_count()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._losses, select.POLLIN)
        poll.register(self._end, select.POLLHUP)
        while all(descriptor != self._end for descriptor, _ in poll.poll()):
            with suppress(OSError):  # what cannot be put back now is put back after the next change
                self._put_back(self._losses.heard(self._table.port))

    def _put_back(self, lost: Lost) -> None:
        if not lost:
            return
        with self._lock:
            if Lost.CHAIN in lost:
                self._passages.settle()
            if Lost.TABLE not in lost or not self._restored:  # before that nobody knows what should be published
                return
            if self._table.rule_count() != self._rules:
                self._lay()
            self.reconcile()

    def publish(self, mappings: Sequence[Mapping], address: str) -> None:
        """Open ports in one transaction. Raises OSError with nothing opened."""
        with self._lock:
            self._table.change(add=elements(mappings, address))
        _forget_flows(mappings, address)

    def withdraw(self, mappings: Sequence[Mapping], address: str) -> None:
        """Close ports. Those that somebody else has flushed are no error."""
        gone = elements(mappings, address)
        with self._lock:
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
