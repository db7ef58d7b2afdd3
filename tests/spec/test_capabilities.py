"""Docker's fourteen capabilities, and what CapAdd and CapDrop make of them."""

import pytest

from pier.kernel.capabilities import NAMES
from pier.spec.capabilities import DEFAULT, granted
from pier.spec.errors import InvalidParameter

HAVE = frozenset(NAMES) - {"CAP_SYS_RESOURCE"}


def grant(add: list[str] | None = None, drop: list[str] | None = None, *, privileged: bool = False) -> set[str]:
    return set(granted(add, drop, privileged=privileged, known=NAMES, available=HAVE))


def test_the_default_is_dockers_fourteen() -> None:
    assert grant() == set(DEFAULT)
    assert len(DEFAULT) == 14


def test_names_come_in_any_case_and_without_their_prefix() -> None:
    assert grant(["net_admin"], ["CAP_chown"]) == (set(DEFAULT) | {"CAP_NET_ADMIN"}) - {"CAP_CHOWN"}


def test_privileged_grants_what_the_host_has() -> None:
    assert grant(privileged=True) == HAVE


def test_all_is_everything_or_nothing() -> None:
    assert grant(["ALL"]) == HAVE
    assert grant(None, ["all"]) == set()
    assert grant(["ALL"], ["SYS_ADMIN"]) == HAVE - {"CAP_SYS_ADMIN"}
    assert grant(["CHOWN"], ["ALL"]) == {"CAP_CHOWN"}


def test_a_name_added_and_dropped_is_dropped() -> None:
    assert "CAP_NET_ADMIN" not in grant(["NET_ADMIN"], ["NET_ADMIN"])


@pytest.mark.parametrize(
    ("name", "text"), [("FOO", 'unknown capability: "CAP_FOO"'), ("SYS_RESOURCE", "not available in the current")]
)
def test_a_capability_that_is_none_or_lacking_is_refused(name: str, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        grant([name])


def test_a_lacking_capability_may_be_dropped() -> None:
    assert grant(None, ["SYS_RESOURCE"]) == set(DEFAULT)
