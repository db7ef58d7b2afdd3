"""JSON by the interpreter's own scanner: equal to the standard library's package."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.client.documents import decode, encode

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_values_are_written_and_read_as_by_the_package(value: object) -> None:
    assert encode(value) == json.dumps(value, separators=(",", ":"))
    assert decode(json.dumps(value, indent=1).encode()) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", '"a', "{} {}", "nul", "'a'", '{"a" 1}', '"\n"'])
def test_what_is_no_json_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(text)


def test_what_has_no_json_form_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="set has no JSON form"):
        encode({1})
