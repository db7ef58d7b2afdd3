"""Go template text cut into tokens: plain text, and inside `{{ }}` names, literals, marks. Pure.

Source: text/template/parse/lex.go's rules for trimming, comments and what ends a field.
"""

from __future__ import annotations


class TemplateError(Exception):
    """A template that cannot be parsed, or a step that cannot be evaluated; worded as Go words it."""


class Token:
    """`kind` is text, or inside an action: field, variable, name, string, char, number, mark, space, end."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: str) -> None:
        self.kind = kind
        self.value = value

    def __repr__(self) -> str:
        return f"Token({self.kind!r}, {self.value!r})"


BLANK = " \t\r\n"
LEFT, RIGHT = "{{", "}}"
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


def split(text: str) -> list[Token | list[Token]]:
    """Text tokens and actions (lists of tokens), trimmed as their markers say."""
    result: list[Token | list[Token]] = []
    position = 0
    trim = False
    while True:
        start = text.find(LEFT, position)
        plain = text[position : start if start >= 0 else len(text)]
        if trim:
            plain = plain.lstrip(BLANK)
        if start < 0:
            if plain:
                result.append(Token("text", plain))
            return result
        inside = start + 2
        if text[inside : inside + 1] == "-" and text[inside + 1 : inside + 2] in tuple(BLANK):
            plain = plain.rstrip(BLANK)
            inside += 2
        if plain:
            result.append(Token("text", plain))
        tokens, position, trim = _action(text, inside)
        if tokens is not None:
            result.append(tokens)


def _action(text: str, position: int) -> tuple[list[Token] | None, int, bool]:
    """The tokens of one action, where it ends, and whether it trims what follows."""
    if text.startswith("/*", position):
        end = text.find("*/", position)
        if end < 0:
            raise TemplateError("unclosed comment")
        position = end + 2
        trim = text[position : position + 2] == " -"
        position += 2 if trim else 0
        if not text.startswith(RIGHT, position):
            raise TemplateError("comment ends before closing delimiter")
        return None, position + 2, trim
    tokens: list[Token] = []
    while True:
        if text.startswith(RIGHT, position):
            return tokens, position + 2, False
        if text[position : position + 1] in tuple(BLANK) and text[position + 1 : position + 4] == "-}}":
            return tokens, position + 4, True
        if position >= len(text):
            raise TemplateError("unclosed action")
        token, position = _token(text, position)
        tokens.append(token)


def _token(text: str, position: int) -> tuple[Token, int]:
    letter = text[position]
    if letter in BLANK:
        end = position
        while end < len(text) and text[end] in BLANK and text[end + 1 : end + 4] != "-}}":
            end += 1
        return Token("space", " "), max(end, position + 1)
    if letter in "\"'":
        return _quoted(text, position)
    if letter == "`":
        end = text.find("`", position + 1)
        if end < 0:
            raise TemplateError("unterminated raw quoted string")
        return Token("string", text[position + 1 : end]), end + 1
    if text.startswith(":=", position):
        return Token("mark", ":="), position + 2
    if letter in "|(),=":
        return Token("mark", letter), position + 1
    if letter.isdecimal() or (letter in "+-" and text[position + 1 : position + 2].isdecimal()):
        end = position + 1
        while end < len(text) and (text[end].isalnum() or text[end] in "._+"):
            end += 1
        return Token("number", text[position:end]), end
    if letter in ".$" or letter.isalpha() or letter == "_":
        end = position + 1
        while end < len(text) and (text[end].isalnum() or text[end] == "_"):
            end += 1
        kind = {".": "field", "$": "variable"}.get(letter, "name")
        return Token(kind, text[position:end]), end
    raise TemplateError(f"unexpected {_shown(letter)} in command")


def _shown(letter: str) -> str:
    return f'"{letter}"' if letter.isprintable() else f"bad character U+{ord(letter):04X}"


def _quoted(text: str, position: int) -> tuple[Token, int]:
    quote = text[position]
    value = ""
    position += 1
    while True:
        letter = text[position : position + 1]
        if letter in ("", "\n"):
            kind = "quoted string" if quote == '"' else "character constant"
            raise TemplateError(f"unterminated {kind}")
        if letter == quote:
            return Token("string" if quote == '"' else "char", value), position + 1
        if letter == "\\":
            letter, position = _escape(text, position)
        value += letter
        position += 1


def _escape(text: str, position: int) -> tuple[str, int]:
    """The character that an escape stands for, and the place of its last letter."""
    letter = text[position + 1 : position + 2]
    sizes = {"x": 2, "u": 4, "U": 8}
    if letter in sizes:
        digits = text[position + 2 : position + 2 + sizes[letter]]
        try:
            return chr(int(digits, 16)), position + 1 + sizes[letter]
        except (ValueError, OverflowError):
            raise TemplateError("invalid syntax") from None
    if letter in ESCAPES:
        return ESCAPES[letter], position + 1
    raise TemplateError("invalid syntax")
