"""The command line of `pierd`, read as Go's pflag reads it and with its texts: `--name=value`, `--name value`,
`-n value`, `-nvalue`, switches in one word (`-Dv`)."""

from collections.abc import Iterator, Sequence

from pier.daemon import flags, refusals
from pier.daemon.flags import Flag, Kind
from pier.daemon.refusals import Refusal
from pier.spec.errors import InvalidParameter, NotSupported

Value = str | bool | int | list[str] | dict[str, str]

_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse(arguments: Sequence[str]) -> dict[str, Value]:
    """The values given, by the flag's name. Raises InvalidParameter (unknown, malformed) and NotSupported (refused)."""
    values: dict[str, Value] = {}
    for flag, written, text in _split(arguments):
        if isinstance(flag, Refusal):
            message = refusals.refusal_of(f"--{flag.name}", _normal(flag.kind, text), flag)
            if message:
                raise NotSupported(message)
            continue
        try:
            add_value(values, flag, text)
        except ValueError as error:
            raise InvalidParameter(f'invalid argument "{text}" for "{written}" flag: {error}') from None
    return values


def add_value(values: dict[str, Value], flag: Flag, text: str) -> None:
    """Add one occurrence of `flag` to `values`. Raises ValueError with Go's text."""
    if flag.kind is Kind.LIST:
        listed = values.setdefault(flag.name, [])
        assert isinstance(listed, list)
        listed.append(text)
    elif flag.kind is Kind.MAP:
        mapped = values.setdefault(flag.name, {})
        assert isinstance(mapped, dict)
        key, _, value = text.partition("=")
        mapped[key] = value
    else:
        values[flag.name] = convert(flag.kind, text)


def convert(kind: Kind, text: str) -> str | bool | int:
    """A single value. Raises ValueError with Go's text."""
    if kind is Kind.BOOL:
        return boolean(text)
    if kind is Kind.INTEGER:
        return integer(text)
    if kind is Kind.SIZE:
        return size(text)
    return text


def boolean(text: str) -> bool:
    """Go's `strconv.ParseBool`."""
    if text not in _TRUE and text not in _FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in _TRUE


def integer(text: str) -> int:
    """A decimal number, as pflag's int reads it."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(digits) > 18:
        raise ValueError(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


def size(text: str) -> int:
    """Bytes, written as go-units reads them: `64m`, `1.5g`, `1024`, `64MiB`."""
    lower = text.strip().lower()
    number = lower.rstrip("bikmgt ")
    unit = lower[len(number) :].strip().removesuffix("b").removesuffix("i")
    try:
        amount = float(number)
    except ValueError:
        raise ValueError(f"invalid size: '{text}'") from None
    if unit not in _UNITS or not 0 <= amount < 1 << 63:
        raise ValueError(f"invalid size: '{text}'")
    return int(amount * _UNITS[unit])


def _split(arguments: Sequence[str]) -> Iterator[tuple[Flag | Refusal, str, str]]:
    """Each flag with the way it is named in messages and its text."""
    rest = iter(arguments)
    for word in rest:
        if word == "--" or not word.startswith("-") or word == "-":
            left = [*rest] if word == "--" else [word]
            if left:
                raise InvalidParameter(f'"pierd" accepts no arguments: {left[0]}')
        elif word.startswith("--"):
            yield _long(word, rest)
        else:
            yield from _short(word, rest)


def _long(word: str, rest: Iterator[str]) -> tuple[Flag | Refusal, str, str]:
    name, equals, text = word[2:].partition("=")
    flag = flags.BY_NAME.get(name) or refusals.BY_NAME.get(name)
    if flag is None:
        raise InvalidParameter(f"unknown flag: --{name}")
    if not equals:
        text = "true" if flag.kind is Kind.BOOL else _next(rest, f"--{name}")
    return flag, _written(flag), text


def _short(word: str, rest: Iterator[str]) -> Iterator[tuple[Flag | Refusal, str, str]]:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = flags.BY_SHORT.get(letter) or refusals.BY_SHORT.get(letter)
        if flag is None:
            raise InvalidParameter(f"unknown shorthand flag: '{letter}' in {word}")
        if letters.startswith("="):
            text, letters = letters[1:], ""
        elif flag.kind is Kind.BOOL:
            text = "true"
        else:
            text, letters = letters or _next(rest, f"'{letter}' in {word}"), ""
        yield flag, _written(flag), text


def _next(rest: Iterator[str], name: str) -> str:
    try:
        return next(rest)
    except StopIteration:
        raise InvalidParameter(f"flag needs an argument: {name}") from None


def _written(flag: Flag | Refusal) -> str:
    return f"-{flag.short}, --{flag.name}" if flag.short else f"--{flag.name}"


def _normal(kind: Kind, text: str) -> str:
    """A refused flag's value in the form of `already`."""
    if kind is Kind.BOOL and text in _TRUE | _FALSE:
        return "true" if text in _TRUE else "false"
    return text
