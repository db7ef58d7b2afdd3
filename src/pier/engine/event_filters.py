"""The filters of `docker events`, pure: whether an event passes."""

from collections.abc import Mapping

from pier.spec.filters import Filters

_BY_NAME = ("container", "daemon", "plugin", "volume", "network", "node", "service", "secret", "config")
ACCEPTED = frozenset({"event", "type", "scope", "image", "label", *_BY_NAME})
# Their actions carry a text after a colon; a filter without one means all of them.
_WITH_TEXT = frozenset({"health_status", "exec_create", "exec_start"})


def includes(filters: Filters, type_: str, action: str, scope: str, id_: str, attributes: Mapping[str, str]) -> bool:
    """Whether an event passes all the filters: any value of a filter may match, every filter must."""
    if not filters:
        return True
    return (
        _action(filters, action)
        and filters.exact("type", type_)
        and filters.exact("scope", scope)
        and all(filters.fuzzy(kind, id_) or filters.fuzzy(kind, attributes.get("name", "")) for kind in _BY_NAME)
        and _image(filters, type_, id_, attributes)
        and filters.labels(attributes)
    )


def _action(filters: Filters, action: str) -> bool:
    if _WITH_TEXT.intersection(filters.get("event")):
        return filters.fuzzy("event", action)
    return filters.exact("event", action)


def _image(filters: Filters, type_: str, id_: str, attributes: Mapping[str, str]) -> bool:
    name = attributes.get("name" if type_ == "image" else "image", "")
    return any(filters.exact("image", value) for value in (id_, name, _without_tag(id_), _without_tag(name)))


def _without_tag(reference: str) -> str:
    name = reference.split("@", 1)[0]
    head, colon, tail = name.rpartition(":")
    return head if colon and "/" not in tail else name
