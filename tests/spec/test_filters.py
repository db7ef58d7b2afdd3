"""Docker's filters: both JSON forms, alternatives and conjunctions, texts of refusals."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters


def test_both_forms_are_read() -> None:
    new = Filters.parse('{"label": {"a=b": true, "c": true}, "dangling": {"true": true, "false": false}}')
    old = Filters.parse('{"label": ["a=b", "c"], "dangling": ["true"]}')
    assert new == old == {"label": ("a=b", "c"), "dangling": ("true",)}
    assert Filters.parse("") == Filters.parse("{}") == {}
    assert old.get("no-such-key") == ()


@pytest.mark.parametrize("text", ["x", "[]", "1", '{"a": 1}', '{"a": {"b": "c"}}', '{"a": [1]}', "[" * 5000, "\ud800"])
def test_what_is_no_filter_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match="invalid filter"):
        Filters.parse(text)


def test_unknown_keys_are_named() -> None:
    with pytest.raises(InvalidParameter) as caught:
        Filters({"colour": ("red",)}).validate({"label"})
    assert caught.value.message == "invalid filter 'colour'"


@pytest.mark.parametrize(("values", "truth"), [(("1",), True), (("true",), True), (("0",), False), (("false",), False)])
def test_truths_are_read(values: tuple[str, ...], truth: bool) -> None:
    assert Filters({"dangling": values}).boolean("dangling", not truth) is truth
    assert Filters().boolean("dangling", truth) is truth


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((), "invalid filter 'dangling'"),
        (("maybe",), "invalid filter 'dangling=[maybe]'"),
        (("true", "false"), "invalid filter 'dangling=[true false]'"),
    ],
)
def test_half_truths_are_refused(values: tuple[str, ...], message: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Filters({"dangling": values}).boolean("dangling", False)
    assert caught.value.message == message


def test_values_of_a_key_are_alternatives_and_labels_are_all_needed() -> None:
    filters = Filters({"name": ("web", "^db"), "label": ("a", "b=2")})
    assert filters.pattern("name", "my-web-1")
    assert filters.pattern("name", "db1")
    assert not filters.pattern("name", "old-db")
    assert filters.labels({"a": "", "b": "2"})
    assert not filters.labels({"a": "", "b": "3"})
    assert not filters.labels({"b": "2"})


def test_an_expression_that_is_none_still_matches_its_own_text() -> None:
    assert Filters({"name": ("a[",)}).pattern("name", "a[")
    assert not Filters({"name": ("a[",)}).pattern("name", "a")


def test_labels_are_excluded_by_their_name_or_value() -> None:
    filters = Filters({"label!": ("keep", "stage=live")})
    assert filters.without_labels({"stage": "test"})
    assert not filters.without_labels({"keep": ""})
    assert not filters.without_labels({"stage": "live"})


@given(st.dictionaries(st.text(max_size=8), st.lists(st.text(max_size=8), max_size=4), max_size=4))
def test_printed_filters_are_read_again(fields: dict[str, list[str]]) -> None:
    assert Filters.parse(json.dumps(fields)) == {key: tuple(values) for key, values in fields.items()}


@given(st.text(max_size=40))
def test_any_text_is_a_filter_or_refused(text: str) -> None:
    try:
        Filters.parse(text)
    except InvalidParameter:
        pass
