"""The order of API versions."""

from hypothesis import given
from hypothesis import strategies as st

from pier.http import versions


def test_versions_are_compared_by_parts() -> None:
    assert versions.parse("1.9") < versions.parse("1.10") < versions.parse("1.50") < versions.parse("2")


@given(st.lists(st.integers(0, 999_999_999), min_size=1, max_size=4))
def test_versions_round_trip(parts: list[int]) -> None:
    assert versions.parse(versions.text(tuple(parts))) == tuple(parts)


@given(st.text(max_size=40))
def test_any_text_is_some_version(text: str) -> None:
    assert all(part >= 0 for part in versions.parse(text))
