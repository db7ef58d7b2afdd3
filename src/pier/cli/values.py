"""Values of flags: from the text on the command line to a typed value, refused in Docker's words.

`convert` knows every type that the tables name; types that need more than one word of syntax (mounts, ports) stay
text here and are read by `pier.cli.create`.
"""

from __future__ import annotations

from pier.cli.output import units

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Value: TypeAlias = bool | int | str | list[str]

TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def _bool(raw: str) -> bool:
    if raw in TRUE:
        return True
    if raw in FALSE:
        return False
    raise ValueError(f'strconv.ParseBool: parsing "{raw}": invalid syntax')


def _integer(raw: str, bits: int, function: str = "ParseInt") -> int:
    digits = raw.lstrip("+-") if function == "ParseInt" and raw[:1] in ("+", "-") else raw
    try:
        value = int(raw, 0 if digits[:1] == "0" and len(digits) > 1 and not digits.isdecimal() else 10)
    except ValueError:
        raise ValueError(f'strconv.{function}: parsing "{raw}": invalid syntax') from None
    if (digits != raw and function == "ParseUint") or not digits or raw != raw.strip() or "_" in raw:
        raise ValueError(f'strconv.{function}: parsing "{raw}": invalid syntax')
    low, high = (0, (1 << bits) - 1) if function == "ParseUint" else (-(1 << bits - 1), (1 << bits - 1) - 1)
    if not low <= value <= high:
        kind = "invalid syntax" if value < 0 and function == "ParseUint" else "value out of range"
        raise ValueError(f'strconv.{function}: parsing "{raw}": {kind}')
    return value


def _int(raw: str) -> int:
    return _integer(raw, 64)


def _uint(raw: str) -> int:
    return _integer(raw, 64, "ParseUint")


def _uint16(raw: str) -> int:
    return _integer(raw, 16, "ParseUint")


def _bytes(raw: str) -> int:
    return units.ram_in_bytes(raw)


def _swap(raw: str) -> int:
    return -1 if raw == "-1" else units.ram_in_bytes(raw)


def _duration(raw: str) -> int:
    return units.parse_duration(raw)


def _cpus(raw: str) -> int:
    """Billionths of a CPU, exactly."""
    whole, point, fraction = raw.partition(".")
    sign = -1 if whole.startswith("-") else 1
    whole = whole.lstrip("+-")
    if not (whole + fraction).isdecimal() or (point and not fraction and not whole):
        raise ValueError(f"failed to parse {raw} as a rational number")
    if len(fraction.rstrip("0")) > 9:
        raise ValueError("value is too precise")
    return sign * (int(whole or "0") * 1_000_000_000 + int(fraction[:9].ljust(9, "0") or "0"))


def _list(raw: str) -> list[str]:
    return [raw]


def _strings(raw: str) -> list[str]:
    return split_csv(raw)


def split_csv(raw: str) -> list[str]:
    """The fields of one line of CSV, with Go's errors; quotes only where a field starts with one."""
    fields: list[str] = []
    position = 0
    while True:
        if raw[position : position + 1] == '"':
            field, position = _quoted(raw, position + 1)
        else:
            end = raw.find(",", position)
            end = len(raw) if end < 0 else end
            field, position = raw[position:end], end
            if '"' in field:
                raise ValueError(f'parse error on line 1, column {raw.index(chr(34)) + 1}: bare " in non-quoted-field')
        fields.append(field)
        if position >= len(raw):
            return fields
        position += 1


def _quoted(raw: str, position: int) -> tuple[str, int]:
    field = ""
    while True:
        end = raw.find('"', position)
        if end < 0:
            raise ValueError(f'parse error on line 1, column {len(raw) + 1}: extraneous or missing " in quoted-field')
        field += raw[position:end]
        if raw[end + 1 : end + 2] == '"':
            field += '"'
            position = end + 2
            continue
        if raw[end + 1 : end + 2] not in ("", ","):
            raise ValueError(f'parse error on line 1, column {end + 2}: extraneous or missing " in quoted-field')
        return field, end + 1


def _filter(raw: str) -> list[str]:
    if raw and "=" not in raw:
        raise ValueError("bad format of filter (expected name=value)")
    return [raw] if raw else []


def _attach(raw: str) -> list[str]:
    if raw.lower() not in ("stdin", "stdout", "stderr"):
        raise ValueError("valid streams are STDIN, STDOUT and STDERR")
    return [raw.lower()]


def _ulimit(raw: str) -> list[str]:
    parse_ulimit(raw)
    return [raw]


ULIMITS = frozenset(
    [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ]
)


def parse_ulimit(raw: str) -> tuple[str, int, int]:
    """`nofile=1024[:2048]` as name, soft, hard."""
    name, equals, limits = raw.partition("=")
    if not equals:
        raise ValueError(f"invalid ulimit argument: {raw}")
    if name not in ULIMITS:
        raise ValueError(f"invalid ulimit type: {name}")
    soft_text, colon, hard_text = limits.partition(":")
    if ":" in hard_text:
        raise ValueError(f"too many limit value arguments - {limits}, can only have up to two, `soft[:hard]`")
    soft = _int(soft_text)
    hard = _int(hard_text) if colon else soft
    if hard != -1 and (soft > hard or soft == -1):
        shown = f"soft: -1 (unlimited), hard: {hard}" if soft == -1 else f"{soft} > {hard}"
        raise ValueError(f"ulimit soft limit must be less than or equal to hard limit: {shown}")
    return name, soft, hard


def _text(raw: str) -> str:
    return raw


CONVERSIONS: dict[str, Callable[[str], Value]] = {
    "bool": _bool,
    "string": _text,
    "int": _int,
    "uint": _uint,
    "uint16": _uint16,
    "bytes": _bytes,
    "swap": _swap,
    "decimal": _cpus,
    "duration": _duration,
    "strings": _strings,
    "filter": _filter,
    "attach": _attach,
    "ulimit": _ulimit,
}


def convert(type_: str, raw: str, own: Mapping[str, Callable[[str], Value]] | None = None) -> Value:
    """The value; ValueError carries the reason. A type that neither `own` nor CONVERSIONS has is a list of texts."""
    conversion = (own or {}).get(type_) or CONVERSIONS.get(type_, _list)
    return conversion(raw)
