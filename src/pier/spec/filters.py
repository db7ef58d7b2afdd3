"""Docker's `filters`: a map from a key to the values it may have, parsed from JSON and asked by the lists.

Semantics and texts are those of Docker's `api/types/filters`: values of one key are alternatives, keys are all needed.
"""

import re
from collections.abc import Collection, Mapping

import msgspec

from pier.spec.errors import InvalidParameter

_NEW = msgspec.json.Decoder(dict[str, dict[str, bool]])
_OLD = msgspec.json.Decoder(dict[str, list[str]])


class Filters(dict[str, tuple[str, ...]]):
    """What a list, a prune or a subscription to events is limited to: key → values. Empty: everything."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> "Filters":
        """From the query's JSON, in the form `{"key": {"value": true}}` or the older `{"key": ["value"]}`."""
        if not text:
            return cls()
        try:
            new = _NEW.decode(text)
            return cls({key: tuple(value for value, wanted in values.items() if wanted) for key, values in new.items()})
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            pass
        try:
            return cls({key: tuple(values) for key, values in _OLD.decode(text).items()})
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            raise InvalidParameter("invalid filter") from None

    def get(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:  # type: ignore[override]
        """The values asked for `key`; empty when it is not limited."""
        return super().get(key, default)

    def validate(self, accepted: Collection[str]) -> None:
        """Refuse a key that the endpoint does not know."""
        for key in self:
            if key not in accepted:
                raise InvalidParameter(f"invalid filter '{key}'")

    def boolean(self, key: str, default: bool) -> bool:
        """The one truth asked for `key`."""
        if key not in self:
            return default
        values = self[key]
        if not values:
            raise InvalidParameter(f"invalid filter '{key}'")
        false, true = bool({"0", "false"}.intersection(values)), bool({"1", "true"}.intersection(values))
        if false == true:
            raise InvalidParameter(f"invalid filter '{key}=[{' '.join(values)}]'")
        return true

    def exact(self, key: str, value: str) -> bool:
        """True when `key` is not limited, or `value` is one of its values."""
        values = self.get(key)
        return not values or value in values

    def fuzzy(self, key: str, value: str) -> bool:
        """As `exact`, and a value that begins `value` matches as well (ids)."""
        values = self.get(key)
        return not values or any(value.startswith(asked) for asked in values)

    def pattern(self, key: str, value: str) -> bool:
        """As `exact`, and a value that is a regular expression found in `value` matches as well (names)."""
        values = self.get(key)
        return not values or any(value == asked or _found(asked, value) for asked in values)

    def labels(self, labels: Mapping[str, str], key: str = "label") -> bool:
        """True when every asked label (`name` or `name=value`) is among `labels`."""
        return all(_has_label(asked, labels) for asked in self.get(key, ()))

    def without_labels(self, labels: Mapping[str, str]) -> bool:
        """True when none of the labels under `label!` is among `labels` (prune)."""
        return not any(_has_label(asked, labels) for asked in self.get("label!", ()))


def _has_label(asked: str, labels: Mapping[str, str]) -> bool:
    name, equals, value = asked.partition("=")
    return name in labels and (not equals or labels[name] == value)


def _found(expression: str, value: str) -> bool:
    try:
        return re.search(expression, value) is not None
    except re.error:
        return False
