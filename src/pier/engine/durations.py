"""Times and durations in the words that `docker ps` shows and the stamps that the API prints."""

import time

_SECOND = 1_000_000_000
ZERO_TIME = "0001-01-01T00:00:00Z"


def human_duration(nanoseconds: int) -> str:
    """How long, roughly, in go-units' words: «Less than a second», «About a minute», «3 weeks»."""
    seconds = max(nanoseconds, 0) // _SECOND
    minutes = seconds // 60
    hours = (seconds + 1800) // 3600
    if seconds < 1:
        return "Less than a second"
    if seconds == 1:
        return "1 second"
    if seconds < 60:
        return f"{seconds} seconds"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    return _human_hours(hours, seconds // 3600)


def _human_hours(rounded: int, whole: int) -> str:
    if rounded < 48:
        return f"{rounded} hours"
    if rounded < 24 * 7 * 2:
        return f"{rounded // 24} days"
    if rounded < 24 * 30 * 2:
        return f"{rounded // 24 // 7} weeks"
    if rounded < 24 * 365 * 2:
        return f"{rounded // 24 // 30} months"
    return f"{whole // 24 // 365} years"


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 with nanoseconds as Go prints it (trailing zeros dropped); Go's zero time for 0."""
    if not nanoseconds:
        return ZERO_TIME
    seconds, rest = divmod(nanoseconds, _SECOND)
    fraction = f".{rest:09d}".rstrip("0").rstrip(".")
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + fraction + "Z"
