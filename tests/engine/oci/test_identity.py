"""Users and groups as Docker resolves them, and stricter where an image could gain by it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.engine.oci.identity import MAXIMUM_ID, Identity, resolve
from pier.runtime.accounts import Accounts
from pier.spec.errors import InvalidParameter
from tests.engine.oci.facts import GROUP, PASSWD

ACCOUNTS = Accounts(PASSWD, GROUP)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", Identity(0, 0, (0,), "/root")),
        ("app", Identity(1000, 1001, (1001, 10, 44), "/home/app")),
        ("1000", Identity(1000, 1001, (1001, 10, 44), "/home/app")),
        ("app:wheel", Identity(1000, 10, (10,), "/home/app")),
        ("app:77", Identity(1000, 77, (77,), "/home/app")),
        ("1234", Identity(1234, 0, (0,), "/")),
        ("1234:5678", Identity(1234, 5678, (5678,), "/")),
        (":10", Identity(0, 10, (10,), "/root")),
        ("app:", Identity(1000, 1001, (1001, 10, 44), "/home/app")),
    ],
)
def test_a_user_is_resolved_as_docker_does(user: str, expected: Identity) -> None:
    assert resolve(user, None, ACCOUNTS) == expected


def test_group_add_takes_names_and_numbers() -> None:
    assert resolve("app", ["video", "4242", "10"], ACCOUNTS).groups == (1001, 10, 44, 4242)


@pytest.mark.parametrize(
    ("user", "groups", "text"),
    [
        ("nobody", [], "unable to find user nobody: no matching entries in passwd file"),
        ("app:none", [], "unable to find group none: no matching entries in group file"),
        ("app", ["none"], "unable to find group none: no matching entries in group file"),
        ("app", [str(2**31)], "uids and gids must be in range 0-2147483647"),
        ("a:b:c", [], "unable to find user a: no matching entries in passwd file"),
    ],
)
def test_what_cannot_be_found_is_named(user: str, groups: list[str], text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        resolve(user, groups, ACCOUNTS)


def test_malformed_lines_are_skipped_and_not_read_as_zero() -> None:
    passwd = b"bad\nevil:x:abc:0::/:\nevil2:x:-1:0::/:\n# comment\n  \nreal:x:5:6::/home:\n"
    for name in ("evil", "evil2", "bad"):
        with pytest.raises(InvalidParameter):
            resolve(name, None, Accounts(passwd, b""))
    assert resolve("real", None, Accounts(passwd, b"")) == Identity(5, 6, (6,), "/home")


def test_without_files_only_numbers_work() -> None:
    assert resolve("", None, Accounts()) == Identity(0, 0, (0,), "/")
    assert resolve("7:8", ["9"], Accounts()) == Identity(7, 8, (8, 9), "/")


@given(st.text(max_size=12), st.binary(max_size=80), st.binary(max_size=80))
def test_any_user_and_files_give_an_identity_in_range_or_a_refusal(user: str, passwd: bytes, group: bytes) -> None:
    try:
        identity = resolve(user, None, Accounts(passwd, group))
    except InvalidParameter:
        return
    assert all(0 <= number <= MAXIMUM_ID for number in (identity.uid, identity.gid, *identity.groups))
    assert identity.gid in identity.groups
