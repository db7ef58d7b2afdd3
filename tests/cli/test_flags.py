"""Flags: tables, and parsing as pflag does it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.cli.failure import UsageFailure
from pier.cli.flags import Parsed, Parser, read_table

TABLE = """
-a, --all             Show all
-f, --filter filter   Filter output (host¦private)|second line
            and more
    --name string     A name
-n, --last int        A number
!--hidden list        Not shown
-e, --env list        Many
"""


def parse(*arguments: str, interspersed: bool = True) -> tuple[Parsed, list[str]]:
    return Parser(read_table(TABLE), interspersed=interspersed).parse(list(arguments))


def test_a_table_says_what_its_flags_are() -> None:
    flags = read_table(TABLE)
    assert list(flags) == ["all", "filter", "name", "last", "hidden", "env"]
    assert flags["filter"].help == "Filter output (host|private)\nsecond line and more"
    assert flags["hidden"].hidden
    assert flags["all"].type == "bool"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-a", "--name", "x", "-n", "3"),
        ("-an3", "--name=x"),
        ("-n=3", "-a=true", "--name", "x"),
        ("--all=1", "-n", "3", "--name=x"),
    ],
)
def test_every_way_of_writing_a_flag_is_understood(arguments: tuple[str, ...]) -> None:
    parsed, rest = parse(*arguments)
    assert (parsed.on("all"), parsed.text("name"), parsed.number("last"), rest) == (True, "x", 3, [])


def test_flags_may_stand_among_arguments_unless_the_command_forbids_it() -> None:
    assert parse("x", "-a", "y")[1] == ["x", "y"]
    parsed, rest = parse("x", "-a", "y", interspersed=False)
    assert rest == ["x", "-a", "y"]
    assert not parsed.changed("all")


def test_two_dashes_end_the_flags() -> None:
    assert parse("-a", "--", "-b", "--c")[1] == ["-b", "--c"]
    assert parse("-")[1] == ["-"]


def test_lists_gather_and_mappings_split() -> None:
    parsed, _ = parse("-e", "a=b", "--env=c", "-ed=e=f")
    assert parsed.many("env") == ["a=b", "c", "d=e=f"]
    assert parsed.mapping("env") == {"a": "b", "c": "", "d": "e=f"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--nope",), "unknown flag: --nope"),
        (("--nope=1",), "unknown flag: --nope"),
        (("-Z",), "unknown shorthand flag: 'Z' in -Z"),
        (("-aZb",), "unknown shorthand flag: 'Z' in -Zb"),
        (("--name",), "flag needs an argument: --name"),
        (("-n",), "flag needs an argument: 'n' in -n"),
        (("-an",), "flag needs an argument: 'n' in -n"),
        (("--=x",), "bad flag syntax: --=x"),
        (("-n", "x"), 'invalid argument "x" for "-n, --last" flag: strconv.ParseInt: parsing "x": invalid syntax'),
        (("--all=x",), 'invalid argument "x" for "-a, --all" flag: strconv.ParseBool: parsing "x": invalid syntax'),
        (("-f", "x"), 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'),
    ],
)
def test_mistakes_are_told_in_pflags_words(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageFailure) as failure:
        parse(*arguments)
    assert failure.value.message == message
    assert failure.value.code == 125


@given(st.lists(st.text(alphabet="-=afnex01 ", max_size=8), max_size=5))
def test_any_command_line_is_parsed_or_refused(arguments: list[str]) -> None:
    try:
        parse(*arguments)
    except UsageFailure:
        return
