"""Signals by the names and numbers that users write: `KILL`, `SIGTERM`, `9`, `SIGRTMIN+3`."""

import signal as numbers

from pier.spec.errors import InvalidParameter

_RTMIN, _RTMAX = 34, 64
_BY_NAME = {
    **{member.name.removeprefix("SIG"): int(member) for member in numbers.Signals},
    "CLD": 17,
    "POLL": 29,
    "IOT": 6,
    "STKFLT": 16,
    "UNUSED": 31,
    "RTMIN": _RTMIN,
    "RTMAX": _RTMAX,
    **{f"RTMIN+{offset}": _RTMIN + offset for offset in range(1, 16)},
    **{f"RTMAX-{offset}": _RTMAX - offset for offset in range(1, 15)},
}
DEFAULT_STOP = int(numbers.SIGTERM)
KILL = int(numbers.SIGKILL)


def parse_signal(text: str) -> int:
    """The number of a signal; `InvalidParameter` («Invalid signal: x») when there is none of that name or number."""
    if text.isascii() and text.isdigit():
        number = int(text[:9])
        if 1 <= number <= _RTMAX:
            return number
        raise InvalidParameter(f"Invalid signal: {text}")
    number = _BY_NAME.get(text.upper().removeprefix("SIG"), 0)
    if not number:
        raise InvalidParameter(f"Invalid signal: {text}")
    return number


def stop_signal(wanted: str) -> int:
    """The signal of a container's `StopSignal`: TERM where none, or none that exists, is set."""
    try:
        return parse_signal(wanted) if wanted else DEFAULT_STOP
    except InvalidParameter:
        return DEFAULT_STOP
