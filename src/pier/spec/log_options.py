"""The options of the json-file log driver, as Docker reads them; what Pier does not act on is refused by name."""

import re
from collections.abc import Mapping

from pier.spec.errors import InvalidParameter, NotSupported

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?([kKmMgGtTpP])?[iI]?[bB]?", re.ASCII)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_KNOWN = frozenset({"max-size", "max-file", "compress"})
_NOT_BUILT = frozenset({"labels", "labels-regex", "env", "env-regex", "tag"})


def check(options: Mapping[str, str]) -> None:
    """Raise for the first option that is unknown, wrong or not built."""
    for name, value in options.items():
        if name not in _KNOWN | _NOT_BUILT:
            raise InvalidParameter(f"unknown log opt '{name}' for json-file log driver")
        if (name in _NOT_BUILT and value) or (name == "compress" and value not in ("", "false")):
            raise NotSupported(f"log opt '{name}' of the json-file log driver is not supported yet")
    max_size(options)
    max_file(options)


def max_size(options: Mapping[str, str]) -> int:
    """The bytes of one log file; 0 for no limit (the default, and Docker's -1)."""
    text = options.get("max-size", "")
    if text in ("", "-1"):
        return 0
    matched = _SIZE.fullmatch(text)
    size = int(float(matched[1]) * 1024 ** _POWERS[(matched[2] or "").lower()]) if matched else 0
    if size <= 0:
        raise InvalidParameter(f"invalid value for max-size: {text!r}: it must be a size above 0")
    return size


def max_file(options: Mapping[str, str]) -> int:
    """How many log files are kept, the current one included."""
    text = options.get("max-file", "")
    if not text:
        return 1
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) is None or int(text) < 1:
        raise InvalidParameter(
            "max-file cannot be less than 1" if text.isdigit() else f"invalid value for max-file: {text!r}"
        )
    if int(text) > 1 and not max_size(options):
        raise InvalidParameter("max-file cannot be greater than 1 if max-size is not set")
    return int(text)
