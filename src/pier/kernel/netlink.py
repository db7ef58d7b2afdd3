"""The netlink socket: packing attributes and messages, sending a batch in one call, reading acknowledgements and dumps.

The words of each family (links, nftables, socket diagnosis) live in files of their own. A kernel answers requests
inside `sendmsg`, so every acknowledgement is queued when the call returns and one socket can be shared under its lock.
"""

import os
import socket
import struct
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Self

NETLINK_ROUTE = 0
NETLINK_SOCK_DIAG = 4
NETLINK_NETFILTER = 12

NLM_F_REQUEST = 0x1
NLM_F_ACK = 0x4
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_DUMP = 0x300
NLM_F_CREATE = 0x400
NLM_F_APPEND = 0x800

NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NLM_F_DUMP_INTR = 0x10
_NLM_F_CAPPED = 0x100
_NLM_F_ACK_TLVS = 0x200
_SOL_NETLINK = 270
_NETLINK_ADD_MEMBERSHIP = 1
_NETLINK_EXT_ACK = 11
_NLMSGERR_ATTR_MSG = 1

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type
_ERROR = struct.Struct("=i")
_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")
_RECEIVE_BYTES = 1 << 17
_SOCKET_BUFFER = 1 << 22


class NetlinkError(OSError):
    """The kernel refused a request; `index` is the request's place in its batch."""

    def __init__(self, number: int, message: str, index: int) -> None:
        super().__init__(number, message)
        self.index = index


@dataclass(frozen=True, slots=True)
class Request:
    """One message before it has a sequence number: its type, flags beside REQUEST, and everything after the header."""

    kind: int
    flags: int
    body: bytes


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one padded attribute."""
    return _ATTRIBUTE.pack(len(payload) + 4, kind) + payload + _PADDING[len(payload) & 3]


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    """Return an attribute that holds a zero-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def u32(kind: int, value: int) -> bytes:
    """Return an attribute that holds a 32-bit number in the host's order."""
    return attribute(kind, struct.pack("=I", value))


def attributes(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield (type without flags, payload) of each attribute in `data` from `offset`; a broken rest ends the walk."""
    end = len(data)
    while offset + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4 or offset + length > end:
            return
        yield kind & NLA_TYPE_MASK, data[offset + 4 : offset + length]
        offset += (length + 3) & ~3


class Netlink:
    """One socket of one family in the network namespace of the thread that opens it."""

    def __init__(self, family: int, group: int = 0) -> None:
        """Open it; with a multicast `group` it hears of that group's events (`events`)."""
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, family)
        try:
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SOCKET_BUFFER)
            self._socket.bind((0, 0))
            if group:
                self._socket.setsockopt(_SOL_NETLINK, _NETLINK_ADD_MEMBERSHIP, group)
        except BaseException:
            self._socket.close()
            raise
        self._sequence = count(1)
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    @property
    def port(self) -> int:
        """The socket's netlink address: events name it as the one who asked for the change."""
        return int(self._socket.getsockname()[0])

    def events(self) -> list[tuple[int, int, bytes]]:
        """Wait for events and return (type, port of who asked, body) of each.

        Raises OSError(ENOBUFS) when some were lost.
        """
        return [(kind, port, body) for kind, _, _, body, port in _all_messages(self._socket.recv(_RECEIVE_BYTES))]

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        self._socket.close()

    def request(self, *requests: Request) -> None:
        """Send all in one call; raise `NetlinkError` for the first refused, when those after it were tried too."""
        refused = self.attempt(requests)
        for error in refused:
            if error is not None:
                raise error

    def attempt(self, requests: Sequence[Request]) -> list[NetlinkError | None]:
        """Send all in one call; return for each what the kernel refused it with, or None."""
        if not requests:
            return []
        with self._lock:
            first, packet = self._pack(requests, NLM_F_ACK)
            self._socket.send(packet)
            return self._acknowledgements(first, len(requests))

    def transaction(self, begin: Request, requests: Sequence[Request], end: Request) -> None:
        """Send a batch that the kernel applies whole or not at all (nfnetlink), and raise its first error."""
        with self._lock:
            header = _message(begin, 0, 0)
            first, packet = self._pack(requests, NLM_F_ACK)
            self._socket.send(header + packet + _message(end, 0, 0))
            refused = self._acknowledgements(first, len(requests), batch=True)
        for error in refused:
            if error is not None:
                raise error

    def dump(self, request: Request) -> list[tuple[int, bytes]]:
        """Return (type, body) of every message that answers a dump; repeats a dump that a change interrupted."""
        attempts = 8
        while True:
            attempts -= 1
            with self._lock:
                sequence = next(self._sequence)
                self._socket.send(_message(request, NLM_F_DUMP, sequence))
                answers, whole = self._answers(sequence)
            if whole or not attempts:
                return answers

    def _pack(self, requests: Iterable[Request], flags: int) -> tuple[int, bytes]:
        first, parts = 0, []
        for request in requests:
            sequence = next(self._sequence)
            first = first or sequence
            parts.append(_message(request, flags, sequence))
        return first, b"".join(parts)

    def _acknowledgements(self, first: int, expected: int, *, batch: bool = False) -> list[NetlinkError | None]:
        refused: list[NetlinkError | None] = [None] * expected
        seen = 0
        while seen < expected:
            try:
                data = self._socket.recv(_RECEIVE_BYTES, socket.MSG_DONTWAIT if batch else 0)
            except BlockingIOError:
                break
            for kind, flags, sequence, body in _messages(data):
                if kind != _NLMSG_ERROR:
                    continue
                place = sequence - first
                if not 0 <= place < expected:
                    if not (batch and sequence == 0):
                        continue
                    place = 0
                seen += 1
                if (number := -_ERROR.unpack_from(body)[0]) and refused[place] is None:
                    refused[place] = NetlinkError(number, _explanation(number, flags, body), place)
        if batch and seen < expected and not any(refused):
            refused[0] = NetlinkError(71, "the kernel answered only a part of a batch", 0)
        return refused

    def _answers(self, sequence: int) -> tuple[list[tuple[int, bytes]], bool]:
        answers: list[tuple[int, bytes]] = []
        whole = True
        while True:
            for kind, flags, number, body in _messages(self._socket.recv(_RECEIVE_BYTES)):
                if number != sequence:
                    continue
                whole = whole and not flags & _NLM_F_DUMP_INTR
                if kind == _NLMSG_DONE:
                    return answers, whole
                if kind == _NLMSG_ERROR:
                    if refusal := -_ERROR.unpack_from(body)[0]:
                        raise NetlinkError(refusal, _explanation(refusal, flags, body), 0)
                    return answers, whole
                answers.append((kind, body))


def _message(request: Request, flags: int, sequence: int) -> bytes:
    length = 16 + len(request.body)
    header = _HEADER.pack(length, request.kind, request.flags | NLM_F_REQUEST | flags, sequence, 0)
    return header + request.body + _PADDING[length & 3]


def _messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    for kind, flags, sequence, body, _ in _all_messages(data):
        yield kind, flags, sequence, body


def _all_messages(data: bytes) -> Iterator[tuple[int, int, int, bytes, int]]:
    offset = 0
    while offset + 16 <= len(data):
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, offset)
        if length < 16 or offset + length > len(data):
            return
        yield kind, flags, sequence, data[offset + 16 : offset + length], port
        offset += (length + 3) & ~3


def _explanation(number: int, flags: int, body: bytes) -> str:
    """The kernel's own words where it has any (extended acknowledgement), else the errno's."""
    if flags & _NLM_F_ACK_TLVS:
        (echoed,) = struct.unpack_from("=I", body, 4)
        offset = 20 if flags & _NLM_F_CAPPED else 4 + ((echoed + 3) & ~3)
        for kind, payload in attributes(body, offset):
            if kind == _NLMSGERR_ATTR_MSG:
                return f"{os.strerror(number)}: {payload.rstrip(bytes(1)).decode(errors='replace')}"
    return os.strerror(number)
