"""Points in time: RFC 3339 with nanoseconds, Unix seconds, and what `--since` and `--until` accept."""

from __future__ import annotations

import time

from pier.cli.output import units

NANO = 1_000_000_000


def parse_rfc3339(text: str) -> int:
    """Nanoseconds since 1970; ValueError for anything else. The year 1 is Go's zero time."""
    date, mark, rest = text.partition("T")
    if not mark:
        raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00"')
    zone = 0
    if rest.endswith("Z"):
        rest = rest[:-1]
    else:
        cut = max(rest.rfind("+"), rest.rfind("-"))
        if cut < 0:
            raise ValueError(f'parsing time "{text}": missing zone')
        hours, _, minutes = rest[cut + 1 :].partition(":")
        zone = (int(hours) * 3600 + int(minutes) * 60) * (-1 if rest[cut] == "-" else 1)
        rest = rest[:cut]
    clock, _, fraction = rest.partition(".")
    year, month, day = (int(part) for part in date.split("-"))
    hour, minute, second = (int(part) for part in clock.split(":"))
    days = _days(year, month, day)
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - zone
    return seconds * NANO + int(fraction[:9].ljust(9, "0") or "0")


def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant's algorithm)."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468


def go_string(nanoseconds: int, *, fraction: bool = True, utc: bool = False) -> str:
    """Go's `Time.String()`: `2026-11-29 00:36:09.5 +0000 UTC`, in local time unless asked."""
    seconds, rest = divmod(nanoseconds, NANO)
    moment = time.gmtime(seconds) if utc else time.localtime(seconds)
    text = time.strftime("%Y-%m-%d %H:%M:%S", moment)
    if fraction and rest:
        text += "." + f"{rest:09d}".rstrip("0")
    return f"{text} +0000 UTC" if utc else text + time.strftime(" %z %Z", moment)


def rfc3339(nanoseconds: int, *, digits: int = 9, utc: bool = False) -> str:
    """RFC 3339 with this many digits of the second, in local time unless asked."""
    seconds, rest = divmod(nanoseconds, NANO)
    moment = time.gmtime(seconds) if utc else time.localtime(seconds)
    text = time.strftime("%Y-%m-%dT%H:%M:%S", moment)
    if digits:
        text += "." + f"{rest:09d}"[:digits]
    if utc or moment.tm_gmtoff == 0:
        return text + "Z"
    zone = time.strftime("%z", moment)
    return f"{text}{zone[:3]}:{zone[3:]}"


def ago(seconds: float) -> str:
    """`3 minutes ago`, counted from now."""
    return units.human_duration(time.time() - seconds) + " ago"


FORMS = (
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%dT%H",
    "%Y-%m-%d",
)


def parse_point(text: str, now: float) -> str:
    """What `--since` and `--until` mean, as `seconds.nanoseconds`; durations count back from now."""
    if not text:
        return ""
    try:
        return _stamp(int(now * NANO) - units.parse_duration(text))
    except ValueError:
        pass
    whole, _, fraction = text.partition(".")
    if whole.isdecimal() and (not fraction or fraction.isdecimal()):
        return f"{whole}.{fraction[:9].ljust(9, '0')}" if fraction else whole
    try:
        return _stamp(parse_rfc3339(text))
    except ValueError:
        pass
    for form in FORMS:
        local = _parse_local(text.rstrip("Z"), form)
        if local is not None:
            return _stamp(local - (time.timezone if text.endswith("Z") else 0) * NANO)
    raise ValueError(f'failed to parse value as time or duration: "{text}"')


def _parse_local(text: str, form: str) -> int | None:
    try:
        whole, _, fraction = text.partition(".") if "." in text else (text, "", "")
        return int(time.mktime(time.strptime(whole, form))) * NANO + int(fraction[:9].ljust(9, "0") or "0")
    except (ValueError, OverflowError):
        return None


def _stamp(nanoseconds: int) -> str:
    seconds, rest = divmod(nanoseconds, NANO)
    return f"{seconds}.{rest:09d}"
