"""The iptables chain FORWARD as iptables-nft keeps it: its policy, and accept rules in the form iptables can list.

nft's own words for connection states make `iptables -S` and dockerd call the whole chain incompatible. So a rule that
asks for them carries iptables' own match, packed byte for byte as iptables 1.8 packs it (`struct xt_conntrack_mtinfo3`
of `linux/netfilter/xt_conntrack.h`), which libnftables cannot write.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pier.kernel.netlink import (
    NETLINK_NETFILTER,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Netlink,
    NetlinkError,
    Request,
    attribute,
    attributes,
    nested,
    text,
)
from pier.kernel.nftables import BATCH_BEGIN, BATCH_END, generic, message_kind

TABLE, CHAIN = "filter", "FORWARD"

_NEWRULE, _GETCHAIN, _GETRULE, _DELRULE = 6, 4, 7, 8
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_POLICY = 1, 3, 4, 5
_HOOK_NUMBER, _FORWARD_HOOK = 1, 2
_RULE_TABLE, _RULE_CHAIN, _RULE_HANDLE, _RULE_EXPRESSIONS, _RULE_USERDATA = 1, 2, 3, 4, 7
_COMMENT = 0  # NFTNL_UDATA_RULE_COMMENT
_LIST_ELEM = 1
_EXPRESSION_NAME, _EXPRESSION_DATA = 1, 2
_META_REGISTER, _META_KEY, _IIFNAME, _OIFNAME = 1, 2, 6, 7
_CMP_REGISTER, _CMP_OPERATION, _CMP_DATA = 1, 2, 3
_DATA_VALUE, _DATA_VERDICT, _VERDICT_CODE = 1, 2, 1
_MATCH_NAME, _MATCH_REVISION, _MATCH_INFO = 1, 2, 3
_COUNTER_BYTES, _COUNTER_PACKETS = 1, 2
_REGISTER_VERDICT, _REGISTER_1 = 0, 1
_DROP, _ACCEPT = 0, 1
_ESTABLISHED, _RELATED, _DNAT = 1 << 1, 1 << 2, 1 << 7  # XT_CONNTRACK_STATE_*
_BY_STATE = 1
# flags, inverted flags, states; the addresses and ports before them and the rest after them do not count
_CONNTRACK = struct.pack("=146xHHH16x", _BY_STATE, 0, _ESTABLISHED | _RELATED | _DNAT)


@dataclass(frozen=True, slots=True)
class Accept:
    """Accept what comes from an interface, or (`towards`) answers and translated connections going out through it."""

    interface: str
    towards: bool


@dataclass(frozen=True, slots=True)
class Present:
    """A rule in the kernel; `accept` is None for one that reads as none of ours."""

    handle: int
    accept: Accept | None


class ForwardChain:
    """The chain FORWARD of the table `ip filter` in the network namespace of the thread that opens it."""

    def __init__(self) -> None:
        self._netlink = Netlink(NETLINK_NETFILTER)

    def close(self) -> None:
        """Close the socket; rules stay."""
        self._netlink.close()

    def drops(self) -> bool:
        """Tell whether the chain exists, hangs on the hook forward, and drops what no rule decides."""
        for _, body in self._netlink.dump(Request(message_kind(_GETCHAIN), 0, generic())):
            found = dict(attributes(body, len(generic())))
            if found.get(_CHAIN_TABLE) == _word(TABLE) and found.get(_CHAIN_NAME) == _word(CHAIN):
                hook = dict(attributes(found.get(_CHAIN_HOOK, b""))).get(_HOOK_NUMBER)
                return hook == _number(_FORWARD_HOOK) and found.get(_CHAIN_POLICY) == _number(_DROP)
        return False

    def tagged(self, comment: str) -> list[Present]:
        """Return the chain's rules with that comment, in their order; no chain has none."""
        try:
            rules = self._netlink.dump(Request(message_kind(_GETRULE), 0, _place()))
        except NetlinkError as error:
            if error.errno == 2:
                return []
            raise
        parsed = (dict(attributes(body, len(generic()))) for _, body in rules)
        return [
            Present(int.from_bytes(rule.get(_RULE_HANDLE, b"")), _parse(rule.get(_RULE_EXPRESSIONS, b"")))
            for rule in parsed
            if rule.get(_RULE_USERDATA) == _userdata(comment)
        ]

    def change(self, comment: str, *, add: Iterable[Accept] = (), remove: Iterable[int] = ()) -> None:
        """Remove rules by handle and append tagged ones in one transaction: all or, on an error, nothing."""
        gone = [_place() + attribute(_RULE_HANDLE, struct.pack("!Q", handle)) for handle in remove]
        new = [_place() + _rule(accept, comment) for accept in add]
        requests = [
            *(Request(message_kind(_DELRULE), 0, body) for body in gone),
            *(Request(message_kind(_NEWRULE), NLM_F_CREATE | NLM_F_APPEND, body) for body in new),
        ]
        if requests:
            self._netlink.transaction(BATCH_BEGIN, requests, BATCH_END)


def _place() -> bytes:
    return generic() + text(_RULE_TABLE, TABLE) + text(_RULE_CHAIN, CHAIN)


def _rule(accept: Accept, comment: str) -> bytes:
    expressions = nested(_RULE_EXPRESSIONS, *_expressions(accept))
    return expressions + attribute(_RULE_USERDATA, _userdata(comment))


def _expressions(accept: Accept) -> Iterator[bytes]:
    key = _OIFNAME if accept.towards else _IIFNAME
    register = attribute(_CMP_REGISTER, _number(_REGISTER_1))
    value = nested(_CMP_DATA, attribute(_DATA_VALUE, _word(accept.interface)))
    yield _expression("meta", attribute(_META_KEY, _number(key)), attribute(_META_REGISTER, _number(_REGISTER_1)))
    yield _expression("cmp", register, attribute(_CMP_OPERATION, _number(0)), value)
    if accept.towards:
        revision = attribute(_MATCH_REVISION, _number(3))
        yield _expression("match", text(_MATCH_NAME, "conntrack"), revision, attribute(_MATCH_INFO, _CONNTRACK))
    yield _expression("counter", attribute(_COUNTER_BYTES, bytes(8)), attribute(_COUNTER_PACKETS, bytes(8)))
    verdict = nested(_DATA_VERDICT, attribute(_VERDICT_CODE, _number(_ACCEPT)))
    yield _expression("immediate", attribute(1, _number(_REGISTER_VERDICT)), nested(2, verdict))


def _expression(name: str, *data: bytes) -> bytes:
    return nested(_LIST_ELEM, text(_EXPRESSION_NAME, name), nested(_EXPRESSION_DATA, *data))


def _parse(expressions: bytes) -> Accept | None:
    """What `_expressions` packed, from the two expressions that differ from rule to rule."""
    found = {}
    for _, expression in attributes(expressions):
        parts = dict(attributes(expression))
        found[parts.get(_EXPRESSION_NAME)] = dict(attributes(parts.get(_EXPRESSION_DATA, b"")))
    key = found.get(_word("meta"), {}).get(_META_KEY)
    name = dict(attributes(found.get(_word("cmp"), {}).get(_CMP_DATA, b""))).get(_DATA_VALUE, b"")
    towards = key == _number(_OIFNAME)
    if not name or towards != (_word("match") in found) or key not in (_number(_IIFNAME), _number(_OIFNAME)):
        return None
    return Accept(name.rstrip(b"\0").decode(errors="replace"), towards)


def _userdata(comment: str) -> bytes:
    value = _word(comment)
    return bytes((_COMMENT, len(value))) + value


def _word(value: str) -> bytes:
    return value.encode() + b"\0"


def _number(value: int) -> bytes:
    return struct.pack("!I", value)
