"""Points in time as clients write them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec import timestamps
from pier.spec.errors import InvalidParameter

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("0", 0),
        ("1700000000", NOW),
        ("1700000000.5", NOW + SECOND // 2),
        ("1700000000.000000001", NOW + 1),
        ("-1", -SECOND),
        ("10m", NOW - 600 * SECOND),
        ("1h30m", NOW - 5400 * SECOND),
        ("1.5s", NOW - 3 * SECOND // 2),
        ("-2s", NOW + 2 * SECOND),
        ("2023-11-14T22:13:20Z", NOW),
        ("2023-11-14T22:13:20.123456789Z", NOW + 123456789),
        ("2023-11-14T23:13:20+01:00", NOW),
        ("2023-11-14", NOW - (22 * 3600 + 13 * 60 + 20) * SECOND),
        ("2023-11-14T22", NOW - (13 * 60 + 20) * SECOND),
        ("2023-11-14T22:13", NOW - 20 * SECOND),
        ("2023-11-14T22:13:20", NOW),
    ],
)
def test_all_forms_are_read(text: str, moment: int) -> None:
    assert timestamps.parse(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "x", "1h-", "2023-13-01", "2023-11-14T25:00", "--1", "1.2.3", "10 m", "9" * 30])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter):
        timestamps.parse(text, NOW)


@pytest.mark.parametrize(
    ("text", "length"), [("0", 0), ("300ms", 300_000_000), ("2h45m", 9900 * SECOND), (".5s", SECOND // 2)]
)
def test_durations_are_gos(text: str, length: int) -> None:
    assert timestamps.duration(text) == length


@given(st.datetimes(min_value=datetime(1970, 1, 2), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_printed_times_are_read_again(moment: datetime) -> None:
    seconds, micros = divmod(
        int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000 + 0.5), 1_000_000
    )
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{micros:06d}Z"
    assert timestamps.iso(text) == seconds * SECOND + micros * 1000


@given(st.text(alphabet="0123456789.-+:TZhmsnuµ x", max_size=30))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for parse in (lambda words: timestamps.parse(words, NOW), timestamps.duration, timestamps.iso):
        try:
            parse(text)
        except InvalidParameter:
            pass
