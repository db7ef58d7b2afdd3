"""The text of Go's encoding/json for a body that is no JSON: which character it did not expect, and what it looked for.

Only run once a fast decoder has refused the body, so a plain scanner with a stack will do.
"""

_LITERALS = {"t": "true", "f": "false", "n": "null"}
_EOF = "unexpected EOF"


class _Unexpected(Exception):
    """What Go would say at the first character it cannot take."""


def syntax_error(body: bytes) -> str:
    """Docker's message for a malformed body; empty when Go would take it."""
    text = body.decode("utf-8", "replace")
    try:
        end = _Scanner(text).value(_skip(text, 0), 0)
    except _Unexpected as unexpected:
        return f"invalid JSON: {unexpected}"
    if _skip(text, end) < len(text):
        return "unexpected content after JSON"
    return ""


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at


def _quote(character: str) -> str:
    if character == "'":
        return "'\\''"
    if character == '"':
        return "'\"'"
    printable = character if character.isprintable() else repr(character)[1:-1]
    return f"'{printable}'"


class _Scanner:
    """Walks one JSON value; each method returns the offset after what it read."""

    def __init__(self, text: str) -> None:
        self._text = text

    def value(self, at: int, depth: int) -> int:
        if depth > 10000:
            raise _Unexpected("exceeded max depth")
        character = self._at(at)
        if character == "{":
            return self._members(at + 1, depth)
        if character == "[":
            return self._elements(at + 1, depth)
        if character == '"':
            return self._string(at + 1)
        if character in _LITERALS:
            return self._literal(at, _LITERALS[character])
        if character == "-" or character.isdigit():
            return self._number(at)
        raise self._unexpected(at, "looking for beginning of value")

    def _members(self, at: int, depth: int) -> int:
        at = _skip(self._text, at)
        if self._at(at) == "}":
            return at + 1
        while True:
            if self._at(at) != '"':
                raise self._unexpected(at, "looking for beginning of object key string")
            at = _skip(self._text, self._string(at + 1))
            if self._at(at) != ":":
                raise self._unexpected(at, "after object key")
            at = _skip(self._text, self._nested(_skip(self._text, at + 1), depth))
            if self._at(at) == "}":
                return at + 1
            if self._text[at] != ",":
                raise self._unexpected(at, "after object key:value pair")
            at = _skip(self._text, at + 1)

    def _elements(self, at: int, depth: int) -> int:
        at = _skip(self._text, at)
        if self._at(at) == "]":
            return at + 1
        while True:
            at = _skip(self._text, self._nested(at, depth))
            if self._at(at) == "]":
                return at + 1
            if self._text[at] != ",":
                raise self._unexpected(at, "after array element")
            at = _skip(self._text, at + 1)

    def _nested(self, at: int, depth: int) -> int:
        try:
            return self.value(at, depth + 1)
        except RecursionError:
            raise _Unexpected("exceeded max depth") from None

    def _string(self, at: int) -> int:
        while (character := self._at(at)) != '"':
            if character < " ":
                raise self._unexpected(at, "in string literal")
            if character == "\\":
                at = self._escape(at + 1)
            at += 1
        return at + 1

    def _escape(self, at: int) -> int:
        if self._at(at) == "u":
            for offset in range(1, 5):
                if self._at(at + offset) not in "0123456789abcdefABCDEF":
                    raise self._unexpected(at + offset, "in \\u hexadecimal character escape")
            return at + 4
        if self._text[at] not in '"\\/bfnrt':
            raise self._unexpected(at, "in string escape code")
        return at

    def _literal(self, at: int, word: str) -> int:
        for offset, expected in enumerate(word):
            if self._at(at + offset) != expected:
                raise self._unexpected(at + offset, f"in literal {word} (expecting '{expected}')")
        return at + len(word)

    def _number(self, at: int) -> int:
        if self._text[at] == "-":
            at += 1
            if not self._at(at).isdigit():
                raise self._unexpected(at, "in numeric literal")
        at = at + 1 if self._text[at] == "0" else self._digits(at)
        if self._peek(at) == ".":
            at = self._digits(at + 1, "after decimal point in numeric literal")
        if self._peek(at) in ("e", "E"):
            at += 2 if self._peek(at + 1) in ("+", "-") else 1
            at = self._digits(at, "in exponent of numeric literal")
        return at

    def _digits(self, at: int, context: str = "in numeric literal") -> int:
        if not self._at(at).isdigit():
            raise self._unexpected(at, context)
        while self._peek(at).isdigit():
            at += 1
        return at

    def _peek(self, at: int) -> str:
        return self._text[at] if at < len(self._text) else ""

    def _at(self, at: int) -> str:
        if at >= len(self._text):
            raise _Unexpected(_EOF)
        return self._text[at]

    def _unexpected(self, at: int, context: str) -> _Unexpected:
        return _Unexpected(f"invalid character {_quote(self._at(at))} {context}")
