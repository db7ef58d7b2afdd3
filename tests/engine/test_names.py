"""Names of containers."""

import pytest

from pier.engine.names import ADJECTIVES, SURNAMES, check_name, generate_name
from pier.spec.errors import InvalidParameter


@pytest.mark.parametrize("name", ["ab", "a1", "web-1.x_y", "/web"])
def test_a_name_of_two_or_more_plain_characters_is_valid(name: str) -> None:
    assert check_name(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["x", "", "-a", "a b", "a/b", "//ab", "é1", "ab\n", ".a"])
def test_anything_else_is_refused_in_dockers_words(name: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        check_name(name)
    assert refused.value.message == f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"


def test_every_generated_name_is_valid() -> None:
    for word in (*ADJECTIVES, *SURNAMES):
        assert word.isascii()
        assert word.islower()
    assert check_name(f"{ADJECTIVES[0]}_{SURNAMES[0]}")


def test_a_taken_name_gets_a_number_and_at_last_the_short_id() -> None:
    asked: list[str] = []

    def taken(name: str) -> bool:
        asked.append(name)
        return len(asked) < 3

    assert generate_name(lambda words: words[0], taken, "0123456789ab") == f"{ADJECTIVES[0]}_{SURNAMES[0]}2"
    assert generate_name(lambda words: words[0], lambda _: True, "0123456789ab") == "0123456789ab"


def test_steve_wozniak_is_not_boring() -> None:
    words = iter(["boring", "wozniak", "zen", "shaw"])
    assert generate_name(lambda _: next(words), lambda _: False, "x") == "zen_shaw1"
