"""Sizes, durations and points in time, as Go's libraries read and print them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.cli.output import times, units


@pytest.mark.parametrize(
    ("size", "digits", "shown"),
    [
        (0, 3, "0B"),
        (999, 3, "999B"),
        (1984172, 3, "1.98MB"),
        (1984172, 4, "1.984MB"),
        (1e6, 3, "1MB"),
        (1500, 3, "1.5kB"),
    ],
)
def test_sizes_are_powers_of_a_thousand(size: float, digits: int, shown: str) -> None:
    assert units.human_size(size, digits) == shown


def test_memory_is_in_powers_of_1024() -> None:
    assert units.bytes_size(25273827328) == "23.54GiB"
    assert units.bytes_size(471040) == "460KiB"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (3600, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_durations_are_told_in_round_words(seconds: float, words: str) -> None:
    assert units.human_duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "size"), [("1", 1), ("1b", 1), ("1k", 1024), ("1KB", 1024), ("1.5GiB", 1610612736), ("2 m", 2 << 20)]
)
def test_sizes_are_read_in_powers_of_1024(text: str, size: int) -> None:
    assert units.ram_in_bytes(text) == size


@given(st.text(alphabet="0123456789.kmgtbKi -", max_size=8))
def test_any_text_is_a_size_or_refused(text: str) -> None:
    try:
        assert units.ram_in_bytes(text) >= 0
    except ValueError:
        return


@given(st.integers(-(10**15), 10**15))
def test_printed_durations_are_read_back(nanoseconds: int) -> None:
    assert units.parse_duration(units.format_duration(nanoseconds)) == nanoseconds


@pytest.mark.parametrize("text", ["", "5", "x", "1x", ".s", "1..2s", "-"])
def test_a_wrong_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="time: "):
        units.parse_duration(text)


@given(st.integers(0, 4 * 10**18))
def test_printed_moments_are_read_back(nanoseconds: int) -> None:
    assert times.parse_rfc3339(times.rfc3339(nanoseconds, utc=True)) == nanoseconds


def test_zones_are_taken_away() -> None:
    assert times.parse_rfc3339("1970-01-01T01:00:00+01:00") == 0
    assert times.parse_rfc3339("1969-12-31T23:00:00.5-01:00") == 500_000_000


@pytest.mark.parametrize(
    ("text", "stamp"),
    [
        ("", ""),
        ("10s", "90.000000000"),
        ("-10s", "110.000000000"),
        ("12", "12"),
        ("12.5", "12.500000000"),
        ("1970-01-01T00:00:07Z", "7.000000000"),
    ],
)
def test_since_takes_durations_stamps_and_dates(text: str, stamp: str) -> None:
    assert times.parse_point(text, 100.0) == stamp


def test_a_date_alone_is_local_midnight() -> None:
    import time

    assert times.parse_point("2024-02-03", 0).partition(".")[0] == str(
        int(time.mktime((2024, 2, 3, 0, 0, 0, 0, 0, -1)))
    )
    with pytest.raises(ValueError, match="failed to parse value as time or duration"):
        times.parse_point("yesterday", 0)
