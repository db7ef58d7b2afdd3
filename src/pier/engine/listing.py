"""Which containers a list shows, and in which order: the filters of `docker ps`, pure."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pier.engine.endpoints import port_rows
from pier.engine.record import Record
from pier.spec import timestamps
from pier.spec.errors import InvalidParameter
from pier.spec.filters import Filters

ACCEPTED = frozenset(
    [
        "ancestor",
        "before",
        "exited",
        "expose",
        "health",
        "id",
        "is-task",
        "isolation",
        "label",
        "name",
        "network",
        "publish",
        "since",
        "status",
        "volume",
    ]
)
_STATUSES = frozenset({"created", "running", "paused", "restarting", "removing", "exited", "dead"})
_HEALTH = frozenset({"none", "starting", "healthy", "unhealthy"})
_PORTS = re.compile(r"(\d+)(?:-(\d+))?(?:/(tcp|udp|sctp))?", re.ASCII)


@dataclass(frozen=True)
class ListQuery:
    """What a list asks for; a limit above 0 counts stopped containers too."""

    all: bool = False
    limit: int = 0
    size: bool = False
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class Facts:
    """What the filters need to know of the world: containers by reference, images of an ancestor, health by id."""

    find: Callable[[str], Record]
    images: Callable[[str], frozenset[str]]
    health: Callable[[str], str] = lambda _: "none"


def select(records: Iterable[Record], query: ListQuery, facts: Facts) -> list[Record]:
    """The records to show, newest first."""
    keep = _compile(query, facts)
    chosen = _between(sorted(records, key=lambda record: record.created, reverse=True), query.filters, facts)
    chosen = [record for record in chosen if keep(record)]
    return chosen[: query.limit] if query.limit > 0 else chosen


def _between(ordered: list[Record], filters: Filters, facts: Facts) -> list[Record]:
    ids = [record.id for record in ordered]
    first, last = 0, len(ordered)
    for reference in filters.get("before"):
        first = max(first, ids.index(facts.find(reference).id) + 1)
    for reference in filters.get("since"):
        last = min(last, ids.index(facts.find(reference).id))
    return ordered[first:last]


def _compile(query: ListQuery, facts: Facts) -> Callable[[Record], bool]:
    filters = query.filters
    filters.validate(ACCEPTED)
    _check_words(filters)
    shows_stopped = query.all or query.limit > 0 or "status" in filters
    exits = frozenset(_exit_code(value) for value in filters.get("exited"))
    images = _ancestors(filters, facts)
    published, exposed = (_ports(filters, key) for key in ("publish", "expose"))

    def keep(record: Record) -> bool:
        state = record.state
        return (
            (shows_stopped or state.running)
            and (images is None or record.image_id in images)
            and (not exits or (state.exit_code in exits and not state.running and state.started_at > 0))
            and filters.exact("status", state.status)
            and filters.exact("health", facts.health(record.id))
            and filters.pattern("id", record.id)
            and (filters.pattern("name", record.name) or filters.pattern("name", "/" + record.name))
            and filters.labels(record.config.Labels or {})
            and _has_volume(filters, record)
            and _has_network(filters, record)
            and (not published or bool(published & _published(record)))
            and (not exposed or bool(exposed & frozenset(record.config.ExposedPorts or {})))
            and not filters.boolean("is-task", False)
        )

    return keep


def _check_words(filters: Filters) -> None:
    for key, words in (("status", _STATUSES), ("health", _HEALTH)):
        for value in filters.get(key):
            if value not in words:
                raise InvalidParameter(f"invalid filter '{key}={value}'")


def _exit_code(value: str) -> int:
    if re.fullmatch(r"[+-]?\d{1,18}", value, re.ASCII) is None:
        raise InvalidParameter(f"invalid filter 'exited={value}'")
    return int(value)


def _ancestors(filters: Filters, facts: Facts) -> frozenset[str] | None:
    if "ancestor" not in filters:
        return None
    empty: frozenset[str] = frozenset()
    return empty.union(*(facts.images(name) for name in filters.get("ancestor")))


def _ports(filters: Filters, key: str) -> frozenset[str]:
    wanted: set[str] = set()
    for value in filters.get(key):
        matched = _PORTS.fullmatch(value)
        if matched is None:
            raise InvalidParameter(f"invalid filter '{key}={value}'")
        first, last = int(matched[1]), int(matched[2] or matched[1])
        if not first <= last <= 65535:
            raise InvalidParameter(f"invalid filter '{key}={value}'")
        wanted.update(f"{port}/{matched[3] or 'tcp'}" for port in range(first, last + 1))
    return frozenset(wanted)


def _published(record: Record) -> frozenset[str]:
    return frozenset(f"{row['PublicPort']}/{row['Type']}" for row in port_rows(record) if "PublicPort" in row)


def _has_volume(filters: Filters, record: Record) -> bool:
    wanted: Sequence[str] = filters.get("volume")
    return not wanted or any(
        value in wanted
        for mounted in record.mounts
        for value in (mounted.point.Name, mounted.point.Destination, mounted.point.Source)
        if value
    )


def _has_network(filters: Filters, record: Record) -> bool:
    wanted = filters.get("network")
    return not wanted or any(
        name in wanted or any(settings.NetworkID.startswith(value) for value in wanted if value)
        for name, settings in record.endpoints.items()
    )


def prunable(filters: Filters, now: int) -> Callable[[Record], bool]:
    """Whether a prune with these filters takes a stopped container at `now` (ns)."""
    filters.validate({"until", "label", "label!"})
    if len(filters.get("until")) > 1:
        raise InvalidParameter("more than one until filter specified")
    until = next((timestamps.parse(text, now) for text in filters.get("until")), None)

    def takes(record: Record) -> bool:
        labels = record.config.Labels or {}
        young = until is not None and record.created > until
        return not young and filters.labels(labels) and filters.without_labels(labels)

    return takes
