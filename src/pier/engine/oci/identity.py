"""Who a container's program runs as: `user[:group]` against the root's passwd and group files; pure.

Semantics of moby/sys/user, stricter where an image could gain: only plain decimal digits are numbers (`+0`, `0x0`, `-1`
are names), a numeric user is never taken as a name (CVE-2016-3697), ids end at 2147483647 (CVE-2024-40635), lines with
malformed ids are skipped instead of read as 0, and the primary group is among the supplementary ones (CVE-2022-36109).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pier.runtime.accounts import Accounts
from pier.spec.errors import InvalidParameter

MAXIMUM_ID = 2**31 - 1
_MAXIMUM_GROUPS = 65536


@dataclass(frozen=True, slots=True)
class Identity:
    """Numeric identity; `home` comes from passwd, "/" where no entry matches."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str = "/"


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int
    home: str


@dataclass(frozen=True, slots=True)
class _Group:
    name: str
    gid: int
    members: bytes


def resolve(user: str, group_add: Sequence[str] | None, accounts: Accounts) -> Identity:
    """The identity for Docker's `User`. InvalidParameter for what cannot be found or is out of range."""
    name, colon, group_name = user.partition(":")
    uid, gid, home, matched = _user(name, accounts.passwd)
    supplementary: list[int] = []
    if group_name:
        gid = _one_group(group_name, accounts.group)
    elif matched:
        supplementary = [_in_range(group.gid) for group in _groups(accounts.group) if _has_member(group, matched)]
    if colon and not name and not group_name:
        raise InvalidParameter(f"invalid user: {user!r}")
    supplementary += [_one_group(each, accounts.group) for each in group_add or ()]
    groups = tuple(dict.fromkeys([gid, *supplementary]))
    if len(groups) > _MAXIMUM_GROUPS:
        raise InvalidParameter(f"a process cannot be in more than {_MAXIMUM_GROUPS} groups")
    return Identity(uid, gid, groups, home)


def _user(name: str, passwd: bytes) -> tuple[int, int, str, str]:
    """uid, gid, home and the matched name ("" when passwd does not know the user)."""
    number = _number(name or "0")
    for entry in _users(passwd):
        if entry.uid == number if number is not None else entry.name == name:
            return _in_range(entry.uid), _in_range(entry.gid), entry.home or "/", entry.name
    if number is None:
        raise InvalidParameter(f"unable to find user {name}: no matching entries in passwd file")
    return _in_range(number), 0, "/", ""


def _one_group(name: str, group: bytes) -> int:
    number = _number(name)
    if number is not None:
        return _in_range(number)
    for entry in _groups(group):
        if entry.name == name:
            return _in_range(entry.gid)
    raise InvalidParameter(f"unable to find group {name}: no matching entries in group file")


def _number(text: str) -> int | None:
    """Decimal digits as a number; anything else is a name. A number too long for any id is out of range."""
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) <= 20 else MAXIMUM_ID + 1


def _in_range(number: int) -> int:
    if not 0 <= number <= MAXIMUM_ID:
        raise InvalidParameter(f"uids and gids must be in range 0-{MAXIMUM_ID}")
    return number


def _users(passwd: bytes) -> Iterator[_User]:
    for fields in _lines(passwd, 4):
        uid, gid = _number(fields[2].decode("ascii", "replace")), _number(fields[3].decode("ascii", "replace"))
        if uid is not None and gid is not None:
            home = fields[5].decode("utf-8", "surrogateescape") if len(fields) > 5 else ""
            yield _User(fields[0].decode("utf-8", "surrogateescape"), uid, gid, home)


def _groups(group: bytes) -> Iterator[_Group]:
    for fields in _lines(group, 3):
        gid = _number(fields[2].decode("ascii", "replace"))
        if gid is not None:
            members = fields[3] if len(fields) > 3 else b""
            yield _Group(fields[0].decode("utf-8", "surrogateescape"), gid, members)


def _has_member(group: _Group, name: str) -> bool:
    return name.encode("utf-8", "surrogateescape") in group.members.split(b",")


def _lines(content: bytes, least: int) -> Iterable[list[bytes]]:
    for line in content.split(b"\n"):
        line = line.strip(b" \t\r")
        if line and not line.startswith(b"#"):
            fields = line.split(b":")
            if len(fields) >= least and fields[0]:
                yield fields
