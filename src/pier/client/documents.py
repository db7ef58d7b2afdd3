"""JSON without the `json` package, whose import takes longer than `pier ps` may: the same C scanner, a small writer.

Where the interpreter has no `_json`, the package is used.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Settings:
    """What the scanner asks of a decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


try:
    from _json import encode_basestring_ascii as _quote
    from _json import make_scanner

    _scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_Settings)  # type: ignore[arg-type]
except ImportError:  # another Python than CPython
    import json

    _quote = json.dumps
    _scan = json.JSONDecoder().raw_decode


def decode(data: bytes | str) -> Any:
    """The value of a JSON text; ValueError for anything else."""
    text = (data.decode("utf-8", "replace") if isinstance(data, bytes) else data).strip(" \t\r\n")
    try:
        value, end = _scan(text, 0)
    except StopIteration as stop:
        raise ValueError(f"no JSON value at character {stop.value}") from None
    if end != len(text):
        raise ValueError(f"more than one JSON value: character {end}")
    return value


def encode(value: object) -> str:
    """Compact JSON of dicts with text keys, lists, texts, numbers, booleans and None."""
    if isinstance(value, str):
        return str(_quote(value))
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quote(key)}:{encode(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(encode(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no JSON form")
