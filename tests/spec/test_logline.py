"""Times of log entries."""

from pier.spec.logline import fixed_time, time_text


def test_a_time_is_filled_up_to_nine_digits() -> None:
    assert fixed_time("2026-01-01T12:00:00Z") == "2026-01-01T12:00:00.000000000Z"
    assert fixed_time("2026-01-01T12:00:00.12Z") == "2026-01-01T12:00:00.120000000Z"


def test_nanoseconds_become_text() -> None:
    assert time_text(1_500_000_007) == "1970-01-01T00:00:01.500000007Z"
