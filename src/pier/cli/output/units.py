"""Sizes, durations and times as Docker's go-units and Go's time package read and print them. Pure."""

from __future__ import annotations

DECIMAL = ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
BINARY = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")
SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DURATIONS = {"ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": SECOND, "m": MINUTE, "h": HOUR}


def significant(value: float, digits: int) -> str:
    """C's `%.<digits>g`, with Go's form of an exponent."""
    return f"{value:.{digits}g}"


def _scaled(size: float, base: float, names: tuple[str, ...]) -> tuple[float, str]:
    index = 0
    while size >= base and index < len(names) - 1:
        size /= base
        index += 1
    return size, names[index]


def human_size(size: float, digits: int = 4) -> str:
    """`1.984MB`: powers of 1000, four significant digits (three in most tables)."""
    value, unit = _scaled(size, 1000.0, DECIMAL)
    return significant(value, digits) + unit


def bytes_size(size: float) -> str:
    """`23.54GiB`: powers of 1024, four significant digits."""
    value, unit = _scaled(size, 1024.0, BINARY)
    return significant(value, 4) + unit


def human_duration(seconds: float) -> str:
    """How long, in Docker's round words (`About a minute`, `3 weeks`)."""
    whole = int(seconds)
    minutes = int(seconds / 60)
    hours = int(seconds / 3600 + 0.5)
    steps: tuple[tuple[bool, str], ...] = (
        (whole < 1, "Less than a second"),
        (whole == 1, "1 second"),
        (whole < 60, f"{whole} seconds"),
        (minutes == 1, "About a minute"),
        (minutes < 60, f"{minutes} minutes"),
        (hours == 1, "About an hour"),
        (hours < 48, f"{hours} hours"),
        (hours < 24 * 7 * 2, f"{hours // 24} days"),
        (hours < 24 * 30 * 2, f"{hours // 24 // 7} weeks"),
        (hours < 24 * 365 * 2, f"{hours // 24 // 30} months"),
    )
    for matches, words in steps:
        if matches:
            return words
    return f"{int(seconds / 3600) // 24 // 365} years"


def ram_in_bytes(raw: str) -> int:
    """`512m`, `1.5GiB`: a size in powers of 1024."""
    text = raw
    cut = max((index for index, letter in enumerate(text) if letter in "0123456789. "), default=-1)
    if cut < 0:
        raise ValueError(f"invalid size: '{raw}'")
    number, suffix = text[: cut + 1], text[cut + 1 :]
    number = number.removesuffix(" ")
    try:
        if not number or number[0] in " _+-" or "_" in number:
            raise ValueError
        if number.count(".") > 1 or number == ".":
            raise ValueError(f'strconv.ParseFloat: parsing "{number}": invalid syntax')
        value = float(number)
    except ValueError as error:
        if str(error).startswith("strconv"):
            raise
        raise ValueError(f"invalid size: '{raw}'") from None
    return int(value * _suffix(suffix.lower(), raw))


def _suffix(suffix: str, raw: str) -> int:
    if not suffix or suffix == "b":
        return 1
    power = "kmgtp".find(suffix[0]) + 1
    if power == 0 or suffix[1:] not in ("", "b", "ib"):
        raise ValueError(
            f"invalid suffix: '{suffix}'" if power else f"invalid suffix: '{raw[len(raw) - len(suffix) :]}'"
        )
    return int(1024**power)


def parse_duration(raw: str) -> int:
    """Nanoseconds of Go's `1h30m5.2s`."""
    text = raw[1:] if raw[:1] in ("+", "-") else raw
    sign = -1 if raw[:1] == "-" else 1
    if text == "0":
        return 0
    if not text:
        raise ValueError(f'time: invalid duration "{raw}"')
    total = 0
    while text:
        size = len(text) - len(text.lstrip("0123456789."))
        number, text = text[:size], text[size:]
        if number.count(".") > 1 or not number.replace(".", ""):
            raise ValueError(f'time: invalid duration "{raw}"')
        end = next((index for index, letter in enumerate(text) if letter in "0123456789."), len(text))
        unit, text = text[:end], text[end:]
        if not unit:
            raise ValueError(f'time: missing unit in duration "{raw}"')
        if unit not in DURATIONS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{raw}"')
        whole, _, fraction = number.partition(".")
        total += int(whole or "0") * DURATIONS[unit]
        if fraction:
            total += int(fraction) * DURATIONS[unit] // 10 ** len(fraction)
    return sign * total


def format_duration(nanoseconds: int) -> str:
    """Go's `Duration.String()`: `1m30s`, `1.5s`, `200ms`, `0s`."""
    if nanoseconds == 0:
        return "0s"
    sign, value = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    for unit, size in (("ns", 1), ("µs", 1000), ("ms", 1_000_000)):
        if value < size * 1000:
            return f"{sign}{_fraction(value, size)}{unit}"
    hours, rest = divmod(value, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    text = f"{_fraction(rest, SECOND)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _fraction(value: int, size: int) -> str:
    whole, rest = divmod(value, size)
    digits = f"{rest:0{len(str(size)) - 1}d}".rstrip("0") if rest else ""
    return f"{whole}.{digits}" if digits else str(whole)
