"""Flags from tables of text, and a parser that behaves like the one Docker uses (spf13/pflag).

A table has one flag a line, as `--help` shows it: `-a, --all   help` or `-f, --filter filter   help`; a line that
starts with ten blanks continues the one above; in the help `|` is a line break and `¦` a bar. The word after the
name is the type; without one the flag is a bool. `!` before the name hides a flag from the help.
"""

from __future__ import annotations

from pier.cli import values
from pier.cli.failure import UsageFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    Types: TypeAlias = Mapping[str, Callable[[str], values.Value]]

USAGE_CODE = 125
CONTINUATION = " " * 10


class Flag:
    """One row of a table."""

    __slots__ = ("help", "hidden", "name", "short", "type")

    def __init__(self, name: str, short: str, type_: str, help_: str, *, hidden: bool) -> None:
        self.name = name
        self.short = short
        self.type = type_
        self.help = help_
        self.hidden = hidden

    @property
    def shown(self) -> str:
        """`-f, --filter` or `--format`, as error messages name a flag."""
        return f"-{self.short}, --{self.name}" if self.short else f"--{self.name}"


def read_table(text: str) -> dict[str, Flag]:
    """The flags of a table by long name, in its order."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(CONTINUATION):
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(line.strip())
    flags = [_read_row(line) for line in lines]
    return {flag.name: flag for flag in flags}


def _read_row(line: str) -> Flag:
    left, _, help_ = line.partition("  ")
    hidden = left.startswith("!")
    words = left.lstrip("!").replace(",", "").split()
    short = words.pop(0)[1:] if not words[0].startswith("--") else ""
    name = words.pop(0)[2:]
    return Flag(
        name, short, words[0] if words else "bool", help_.strip().replace("|", "\n").replace("¦", "|"), hidden=hidden
    )


class Parsed:
    """The values that were given: `flags["all"]` and friends give the type's empty value for what was not."""

    def __init__(self, flags: dict[str, Flag], types: Types | None = None) -> None:
        self.flags = flags
        self.types = types
        self.given: dict[str, object] = {}

    def changed(self, name: str) -> bool:
        """True when the flag was on the command line."""
        return name in self.given

    def on(self, name: str, default: bool = False) -> bool:
        """A bool."""
        return bool(self.given.get(name, default))

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        value = self.given.get(name, default)
        return value if isinstance(value, str) else str(value)

    def number(self, name: str, default: int = 0) -> int:
        """An integer, a size in bytes, or a duration in nanoseconds."""
        value = self.given.get(name, default)
        assert isinstance(value, int)
        return value

    def many(self, name: str) -> list[str]:
        """A list of strings."""
        value = self.given.get(name)
        return list(value) if isinstance(value, list) else []

    def mapping(self, name: str) -> dict[str, str]:
        """`key=value` pairs; a key without a value has an empty one."""
        pairs = (item.partition("=") for item in self.many(name))
        return {key: value for key, _, value in pairs}

    def store(self, flag: Flag, raw: str) -> None:
        """Take one occurrence; raises UsageFailure in pflag's words."""
        try:
            value = values.convert(flag.type, raw, self.types)
        except ValueError as error:
            from pier.cli.templates.functions import quote  # lazily: only for mistakes

            message = f'invalid argument {quote(raw)} for "{flag.shown}" flag: {error}'
            raise UsageFailure(message, USAGE_CODE) from None
        if isinstance(value, list):
            current = self.given.setdefault(flag.name, [])
            assert isinstance(current, list)
            current.extend(value)
        else:
            self.given[flag.name] = value


class Parser:
    """One pass over a command line."""

    def __init__(self, flags: dict[str, Flag], *, interspersed: bool = True, types: Types | None = None) -> None:
        self.flags = flags
        self.shorts = {flag.short: flag for flag in flags.values() if flag.short}
        self.interspersed = interspersed
        self.parsed = Parsed(flags, types)

    def parse(self, arguments: list[str]) -> tuple[Parsed, list[str]]:
        """The flags and what remains."""
        rest = list(arguments)
        positional: list[str] = []
        while rest:
            word = rest.pop(0)
            if word == "--":
                positional += rest
                break
            if word.startswith("--"):
                self._long(word, rest)
            elif word.startswith("-") and word != "-":
                self._shorts(word, rest)
            elif self.interspersed:
                positional.append(word)
            else:
                positional += [word, *rest]
                break
        return self.parsed, positional

    def _long(self, word: str, rest: list[str]) -> None:
        name, equals, value = word[2:].partition("=")
        if not name or name.startswith("-"):
            raise UsageFailure(f"bad flag syntax: {word}", USAGE_CODE)
        flag = self.flags.get(name)
        if flag is None:
            raise UsageFailure(f"unknown flag: --{name}", USAGE_CODE)
        if not equals:
            if flag.type == "bool":
                value = "true"
            elif rest:
                value = rest.pop(0)
            else:
                raise UsageFailure(f"flag needs an argument: --{name}", USAGE_CODE)
        self.parsed.store(flag, value)

    def _shorts(self, word: str, rest: list[str]) -> None:
        letters = word[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            flag = self.shorts.get(letter)
            if flag is None:
                raise UsageFailure(f"unknown shorthand flag: '{letter}' in -{letter}{letters}", USAGE_CODE)
            if letters.startswith("=") and len(letters) > 1:
                self.parsed.store(flag, letters[1:])
                return
            if flag.type == "bool":
                self.parsed.store(flag, "true")
            elif letters:
                self.parsed.store(flag, letters)
                return
            elif rest:
                self.parsed.store(flag, rest.pop(0))
            else:
                raise UsageFailure(f"flag needs an argument: '{letter}' in -{letter}", USAGE_CODE)
