"""The functions of a format: Go's built-in ones and Docker's (`json`, `join`, `split`, `title`, `pad` …)."""

from __future__ import annotations

from pier.cli.templates.lexer import TemplateError
from pier.cli.templates.values import Row, encode, encode_as_is, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def truth(value: object) -> bool:
    """Go's idea of a true value: not the zero value of its type. Structs are always true."""
    from pier.cli.templates.values import Struct

    return True if isinstance(value, (Row, Struct)) else bool(value)


def index(value: object, *keys: object) -> object:
    """`index map "key"` and `index list 0`; a missing key of a map is its zero value, printed as empty."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(str(key), "")
        elif isinstance(value, (list, str)):
            if not isinstance(key, int) or isinstance(key, bool):
                raise TemplateError(f"cannot index slice/array with type {kind(key)}")
            if not 0 <= key < len(value):
                raise TemplateError(f"error calling index: reflect: slice index out of range: {key}")
            value = value[key] if isinstance(value, list) else value.encode()[key]
        elif value is None:
            raise TemplateError("error calling index: index of untyped nil")
        else:
            raise TemplateError(f"error calling index: can't index item of type {kind(value)}")
    return value


def kind(value: object) -> str:
    """The name of Go's type."""
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}", type(None): "nil"}
    return names.get(type(value), "map[string]interface {}")


def _len(value: object) -> object:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, (list, dict)):
        return len(value)
    raise TemplateError(f"error calling len: len of type {kind(value)}")


def _slice(value: object, *bounds: object) -> object:
    if not isinstance(value, (str, list)) or any(not isinstance(bound, int) for bound in bounds):
        raise TemplateError(f"error calling slice: can't slice item of type {kind(value)}")
    numbers = [bound for bound in bounds if isinstance(bound, int)]
    low = numbers[0] if numbers else 0
    high = numbers[1] if len(numbers) > 1 else len(value)
    if not 0 <= low <= high <= len(value):
        raise TemplateError(f"error calling slice: index out of range: {high}")
    return value[low:high]


def _eq(first: object, *others: object) -> object:
    if not others:
        raise TemplateError("error calling eq: missing argument for comparison")
    for other in others:
        if _class(first) != _class(other) and first is not None and other is not None:
            raise TemplateError("error calling eq: incompatible types for comparison")
    return any(first == other for other in others)


def _class(value: object) -> str:
    return "bool" if isinstance(value, bool) else kind(value)


def _lt(first: object, second: object, name: str = "lt") -> bool:
    if _class(first) != _class(second) or not isinstance(first, (int, float, str)) or isinstance(first, bool):
        raise TemplateError(f"error calling {name}: incompatible types for comparison")
    return first < second  # type: ignore[operator]


def _and(*values: object) -> object:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if truth(value)), values[-1])


def _printf(form: object, *values: object) -> object:
    """`%s %v %d %q %x %t %f %%`, with widths; what Go would print for a wrong type is printed too."""
    text, rest, result, position = str(form), list(values), "", 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter != "%":
            result += letter
            continue
        end = position
        while end < len(text) and text[end] in "+-# 0123456789.":
            end += 1
        if end >= len(text):
            return result + "%!(NOVERB)"
        options, verb, position = text[position:end], text[end], end + 1
        if verb == "%":
            result += "%"
        elif not rest:
            result += f"%!{verb}(MISSING)"
        else:
            result += _verb(verb, options, rest.pop(0))
    if rest:
        result += "%!(EXTRA " + ", ".join(f"{kind(value)}={show(value)}" for value in rest) + ")"
    return result


def _verb(verb: str, options: str, value: object) -> str:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if verb in "sv" and not (verb == "s" and (number or isinstance(value, bool))):
        return f"%{options}s" % show(value)
    if verb == "q" and isinstance(value, str):
        return f"%{options}s" % quote(value)
    if (verb in "dxXob" and isinstance(value, int) and number) or (verb in "feg" and isinstance(value, float)):
        return f"%{options}{verb}" % value if verb != "b" else format(value, "b")
    if verb in "xX" and isinstance(value, str):
        return value.encode().hex()
    if verb == "t" and isinstance(value, bool):
        return show(value)
    return f"%!{verb}({kind(value)}={show(value)})"


def quote(text: str) -> str:
    """Go's strconv.Quote."""
    shorts = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\a": "\\a", "\b": "\\b"}
    shorts |= {"\f": "\\f", "\v": "\\v"}
    result = ""
    for letter in text:
        if letter in shorts:
            result += shorts[letter]
        elif letter.isprintable():
            result += letter
        elif 0xDC80 <= ord(letter) <= 0xDCFF:
            result += f"\\x{ord(letter) - 0xDC00:02x}"
        elif ord(letter) < 0x80:
            result += f"\\x{ord(letter):02x}"
        else:
            result += f"\\u{ord(letter):04x}" if ord(letter) < 0x10000 else f"\\U{ord(letter):08x}"
    return f'"{result}"'


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TemplateError(f"wrong type for value; expected string; got {kind(value)}")
    return value


def _join(values: object, separator: object) -> object:
    if not isinstance(values, list):
        raise TemplateError(f"wrong type for value; expected []string; got {kind(values)}")
    return str(separator).join(str(value) for value in values)


def _split(value: object, separator: object) -> object:
    text, mark = _text(value), str(separator)
    return text.split(mark) if mark else list(text)


def _title(value: object) -> object:
    previous, result = " ", ""
    for letter in _text(value):
        starts = not (previous.isalnum() or previous in "_'")
        result += letter.upper() if starts else letter
        previous = letter
    return result


def _pad(value: object, before: object, after: object) -> object:
    text = _text(value)
    if not text or not isinstance(before, int) or not isinstance(after, int):
        return text
    return " " * before + text + " " * after


def _truncate(value: object, size: object) -> object:
    text = _text(value)
    return text[:size] if isinstance(size, int) and len(text) > size else text


def _escape_html(*values: object) -> object:
    text = _print(*values)
    for letter, escape in (("&", "&amp;"), ("'", "&#39;"), ('"', "&#34;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(letter, escape)
    return text


def _escape_js(*values: object) -> object:
    shorts = {letter: "\\" + letter for letter in "\\'\""}
    shorts |= {letter: f"\\u{ord(letter):04X}" for letter in "<>&="}
    result = ""
    for letter in _print(*values):
        if letter in shorts:
            result += shorts[letter]
        else:
            result += letter if letter.isprintable() else f"\\u{ord(letter):04X}"
    return result


def _escape_query(*values: object) -> object:
    from urllib.parse import quote_plus  # lazily: seldom asked for

    return quote_plus(_print(*values), safe="~")


def _json(value: object) -> object:
    """Docker's encoder leaves `<`, `>` and `&` alone; a row encodes itself, with Go's escapes."""
    return encode(value) if isinstance(value, Row) else encode_as_is(value)


def _print(*values: object) -> str:
    text = ""
    for position, value in enumerate(values):
        neighbours = position and not isinstance(value, str) and not isinstance(values[position - 1], str)
        text += (" " if neighbours else "") + show(value)
    return text


FUNCTIONS: dict[str, Callable[..., object]] = {
    "and": _and,
    "or": _or,
    "not": lambda value: not truth(value),
    "len": _len,
    "index": index,
    "slice": _slice,
    "print": _print,
    "printf": _printf,
    "println": lambda *values: " ".join(show(value) for value in values) + "\n",
    "html": _escape_html,
    "eq": _eq,
    "ne": lambda first, second: not _eq(first, second),
    "lt": _lt,
    "le": lambda first, second: _lt(first, second, "le") or first == second,
    "gt": lambda first, second: _lt(second, first, "gt"),
    "ge": lambda first, second: _lt(second, first, "ge") or first == second,
    "js": _escape_js,
    "urlquery": _escape_query,
    "json": _json,
    "split": _split,
    "join": _join,
    "title": _title,
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "pad": _pad,
    "truncate": _truncate,
}
