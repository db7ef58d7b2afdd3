"""nftables two ways: whole rule sets as text through libnftables, map elements as packed messages of our own.

Rules are laid once at start, where libnftables' 10 ms do not matter. Elements come and go with every container: one
nfnetlink transaction adds or removes any number of them in 0.1 ms, without reading the table first.
"""

import ctypes
import socket
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Flag, auto

from pier.kernel.netlink import (
    NETLINK_NETFILTER,
    NLM_F_CREATE,
    Netlink,
    NetlinkError,
    Request,
    attribute,
    attributes,
    nested,
    text,
)

_SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_GETTABLE, _DELTABLE = 1, 2
_NEWCHAIN, _DELCHAIN, _GETRULE, _DELRULE, _DELSET = 3, 5, 7, 8, 11
_NEWSETELEM, _GETSETELEM, _DELSETELEM = 12, 13, 14
_TABLE_NAME = 1  # of tables, chains, rules, sets and lists of elements alike
_CHANGES = frozenset((_DELTABLE, _NEWCHAIN, _DELCHAIN, _DELRULE, _DELSET, _DELSETELEM))
_CHAIN_NAMES = {_NEWCHAIN: 3, _DELCHAIN: 3, _DELRULE: 2}  # the attribute that names the chain
_EVENTS = 7  # NFNLGRP_NFTABLES
_LIST_TABLE, _LIST_SET, _LIST_ELEMENTS = 1, 2, 3
_LIST_ELEM = 1
_ELEM_KEY, _ELEM_DATA, _ELEM_KEY_END = 1, 2, 10
_DATA_VALUE = 1
_LOST = 105  # ENOBUFS
_NFPROTO_IPV4 = 2
_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource
_MESSAGE_LIMIT = 60_000  # an attribute's length has 16 bits

BATCH_BEGIN = Request(_BATCH_BEGIN, 0, _GENERIC.pack(socket.AF_UNSPEC, 0, _SUBSYSTEM))
BATCH_END = Request(_BATCH_END, 0, _GENERIC.pack(socket.AF_UNSPEC, 0, _SUBSYSTEM))


@dataclass(frozen=True, slots=True)
class Element:
    """One element: the map's name, its packed key (an interval when `key_end` is set) and its packed value."""

    map: str
    key: bytes
    value: bytes = b""
    key_end: bytes = b""


class LibraryError(OSError):
    """libnftables is missing or refused a rule set."""


def run_commands(commands: str) -> None:
    """Apply a text of nft commands in one transaction, in the calling thread's network namespace."""
    library = _library()
    context = library.nft_ctx_new(0)
    if not context:
        raise LibraryError(12, "nft_ctx_new failed")
    try:
        library.nft_ctx_buffer_output(context)
        library.nft_ctx_buffer_error(context)
        if library.nft_run_cmd_from_buffer(context, commands.encode()) != 0:
            words = library.nft_ctx_get_error_buffer(context) or b""
            raise LibraryError(22, "nftables: " + words.decode(errors="replace").strip())
    finally:
        library.nft_ctx_free(context)


def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise LibraryError(2, "libnftables.so.1 is not installed (Debian's package libnftables1)") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = (ctypes.c_uint32,)
    for name in ("nft_ctx_free", "nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_get_error_buffer"):
        getattr(library, name).argtypes = (ctypes.c_void_p,)
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = (ctypes.c_void_p, ctypes.c_char_p)
    return library


class Table:
    """Elements of the maps of one table (family ip) in the network namespace of the thread that opens it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._netlink = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Close the socket; the table stays."""
        self._netlink.close()

    def exists(self) -> bool:
        """Tell whether the kernel has the table."""
        request = Request(message_kind(_GETTABLE), 0, generic() + text(_TABLE_NAME, self.name))
        try:
            self._netlink.request(request)
        except NetlinkError as error:
            if error.errno == 2:
                return False
            raise
        return True

    def delete(self) -> None:
        """Remove the table with all it holds; one that is gone is no error."""
        request = Request(message_kind(_DELTABLE), 0, generic() + text(_TABLE_NAME, self.name))
        try:
            self._netlink.transaction(BATCH_BEGIN, (request,), BATCH_END)
        except NetlinkError as error:
            if error.errno != 2:
                raise

    def change(self, *, add: Sequence[Element] = (), remove: Sequence[Element] = ()) -> None:
        """Remove and add elements in one transaction: all or, on an error, nothing."""
        requests = [*self._requests(_DELSETELEM, remove, 0), *self._requests(_NEWSETELEM, add, NLM_F_CREATE)]
        if requests:
            self._netlink.transaction(BATCH_BEGIN, requests, BATCH_END)

    def rule_count(self) -> int:
        """Return how many rules the table has."""
        return len(self._netlink.dump(Request(message_kind(_GETRULE), 0, generic() + text(_TABLE_NAME, self.name))))

    @property
    def port(self) -> int:
        """Who asks for changes of elements, as events name it."""
        return self._netlink.port

    def elements(self, map_name: str) -> list[Element]:
        """Return every element of a map."""
        body = generic() + text(_LIST_TABLE, self.name) + text(_LIST_SET, map_name)
        found: list[Element] = []
        for _, answer in self._netlink.dump(Request(message_kind(_GETSETELEM), 0, body)):
            for kind, payload in attributes(answer, _GENERIC.size):
                if kind == _LIST_ELEMENTS:
                    found.extend(_parse_element(map_name, item) for _, item in attributes(payload))
        return found

    def _requests(self, kind: int, elements: Iterable[Element], flags: int) -> Iterable[Request]:
        by_map: dict[str, list[bytes]] = {}
        for element in elements:
            by_map.setdefault(element.map, []).append(_pack_element(element, with_value=kind == _NEWSETELEM))
        for map_name, packed in by_map.items():
            head = generic() + text(_LIST_TABLE, self.name) + text(_LIST_SET, map_name)
            for piece in _pieces(packed):
                yield Request(message_kind(kind), flags, head + nested(_LIST_ELEMENTS, *piece))


class Lost(Flag):
    """Where somebody changed something that is ours to keep."""

    NOTHING = 0
    TABLE = auto()
    CHAIN = auto()


class Losses:
    """Hears when somebody takes something out of a table (family ip) of this thread's network namespace, and, with
    `chain` (table, name), when that chain of another table comes, changes its policy, or loses something.
    """

    def __init__(self, table: str, chain: tuple[str, str] = ("", "")) -> None:
        self._table = table.encode() + b"\0"
        self._other, self._chain = (name.encode() + b"\0" for name in chain)
        self._netlink = Netlink(NETLINK_NETFILTER, _EVENTS)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._netlink.fileno()

    def close(self) -> None:
        """Stop listening."""
        self._netlink.close()

    def heard(self, own_port: int) -> Lost:
        """Wait for events; tell where one changed something that `own_port` had not asked for."""
        try:
            events = self._netlink.events()
        except OSError as error:
            if error.errno != _LOST:
                raise
            return Lost.TABLE | Lost.CHAIN
        lost = Lost.NOTHING
        for kind, port, body in events:
            if kind >> 8 == _SUBSYSTEM and kind & 0xFF in _CHANGES and port != own_port:
                lost |= self._what(kind & 0xFF, body)
        return lost

    def _what(self, message: int, body: bytes) -> Lost:
        if body[0] != _NFPROTO_IPV4:
            return Lost.NOTHING
        found = dict(attributes(body, _GENERIC.size))
        if found.get(_TABLE_NAME) == self._table:
            return Lost.NOTHING if message == _NEWCHAIN else Lost.TABLE
        if found.get(_TABLE_NAME) != self._other:
            return Lost.NOTHING
        name = _CHAIN_NAMES.get(message)
        gone = message == _DELTABLE or (name is not None and found.get(name) == self._chain)
        return Lost.CHAIN if gone else Lost.NOTHING


def _pieces(packed: list[bytes]) -> Iterable[list[bytes]]:
    piece: list[bytes] = []
    size = 0
    for item in packed:
        if piece and size + len(item) > _MESSAGE_LIMIT:
            yield piece
            piece, size = [], 0
        piece.append(item)
        size += len(item)
    if piece:
        yield piece


def message_kind(message: int) -> int:
    """Return the netlink type of a message of nftables."""
    return _SUBSYSTEM << 8 | message


def generic() -> bytes:
    """Return the head of every message about family ip."""
    return _GENERIC.pack(_NFPROTO_IPV4, 0, 0)


def _pack_element(element: Element, *, with_value: bool) -> bytes:
    parts = [nested(_ELEM_KEY, attribute(_DATA_VALUE, element.key))]
    if element.key_end:
        parts.append(nested(_ELEM_KEY_END, attribute(_DATA_VALUE, element.key_end)))
    if with_value and element.value:
        parts.append(nested(_ELEM_DATA, attribute(_DATA_VALUE, element.value)))
    return nested(_LIST_ELEM, *parts)


def _parse_element(map_name: str, item: bytes) -> Element:
    values = dict(attributes(item))

    def value(kind: int) -> bytes:
        return dict(attributes(values.get(kind, b""))).get(_DATA_VALUE, b"")

    return Element(map_name, value(_ELEM_KEY), value(_ELEM_DATA), value(_ELEM_KEY_END))
