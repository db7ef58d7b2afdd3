"""Which containers a list shows."""

from collections.abc import Mapping, Sequence

import pytest

from pier.engine.listing import Facts, ListQuery, select
from pier.engine.record import Mounted, Record, State
from pier.spec.containers import ContainerConfig, EndpointSettings, MountPoint, PortBinding
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.filters import Filters
from tests.engine.builders import RUNNING, SECOND, record

RECORDS = [
    record(1, name="web", state=RUNNING, config=ContainerConfig(Image="busybox", Labels={"tier": "front"})),
    record(2, name="db", state=State(status="exited", exit_code=3, started_at=SECOND, finished_at=2 * SECOND)),
    record(3, name="new"),
    record(
        4,
        name="web2",
        state=RUNNING,
        image_id="sha256:" + "b" * 64,
        ports={"80/tcp": [PortBinding("0.0.0.0", "8080")], "53/udp": None},
        endpoints={"front": EndpointSettings(NetworkID="feed" * 16)},
        mounts=(Mounted(MountPoint("volume", "data", "/v/data", "/data", "local")),),
        config=ContainerConfig(Image="debian", ExposedPorts={"80/tcp": {}, "53/udp": {}}),
    ),
]


def find(reference: str) -> Record:
    for each in RECORDS:
        if each.name == reference:
            return each
    raise NotFound(f"No such container: {reference}")


FACTS = Facts(find, lambda name: frozenset({"sha256:" + "b" * 64}) if name == "debian" else frozenset())


def names(*, all: bool = False, limit: int = 0, filters: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    query = ListQuery(all=all, limit=limit, filters=Filters({key: tuple(v) for key, v in (filters or {}).items()}))
    return [each.name for each in select(RECORDS, query, FACTS)]


def test_running_ones_are_shown_newest_first_and_stopped_ones_on_request() -> None:
    assert names() == ["web2", "web"]
    assert names(all=True) == ["web2", "new", "db", "web"]
    assert names(limit=2) == ["web2", "new"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"status": ["exited", "created"]}, ["new", "db"]),
        ({"name": ["web"]}, ["web2", "web"]),
        ({"name": ["^/web$"]}, ["web"]),
        ({"id": ["^" + "0" * 63 + "1"]}, ["web"]),
        ({"label": ["tier"]}, ["web"]),
        ({"label": ["tier=back"]}, []),
        ({"ancestor": ["debian"]}, ["web2"]),
        ({"ancestor": ["nope"]}, []),
        ({"volume": ["data"]}, ["web2"]),
        ({"volume": ["/data"]}, ["web2"]),
        ({"network": ["front"]}, ["web2"]),
        ({"network": ["feedfeed"]}, ["web2"]),
        ({"publish": ["8080"]}, ["web2"]),
        ({"publish": ["8000-9000/tcp"]}, ["web2"]),
        ({"publish": ["80"]}, []),
        ({"expose": ["53/udp"]}, ["web2"]),
        ({"health": ["none"]}, ["web2", "web"]),
        ({"health": ["healthy"]}, []),
        ({"is-task": ["true"]}, []),
        ({"isolation": ["default"]}, ["web2", "web"]),
    ],
)
def test_filters(filters: dict[str, list[str]], expected: list[str]) -> None:
    assert names(filters=filters) == expected


def test_before_and_since_cut_the_order_of_creation() -> None:
    assert names(all=True, filters={"before": ["new"]}) == ["db", "web"]
    assert names(all=True, filters={"since": ["db"]}) == ["web2", "new"]
    assert names(all=True, filters={"since": ["web"], "before": ["web2"]}) == ["new", "db"]
    with pytest.raises(NotFound, match="No such container: nope"):
        names(filters={"before": ["nope"]})


def test_an_exit_code_is_asked_of_ended_ones_only() -> None:
    assert names(all=True, filters={"exited": ["3"]}) == ["db"]
    assert names(all=True, filters={"exited": ["0"]}) == []


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"colour": ["red"]}, "invalid filter 'colour'"),
        ({"status": ["sleeping"]}, "invalid filter 'status=sleeping'"),
        ({"exited": ["x"]}, "invalid filter 'exited=x'"),
        ({"publish": ["x"]}, "invalid filter 'publish=x'"),
        ({"publish": ["90-80"]}, "invalid filter 'publish=90-80'"),
        ({"health": ["fine"]}, "invalid filter 'health=fine'"),
    ],
)
def test_bad_filters_are_refused(filters: dict[str, list[str]], message: str) -> None:
    with pytest.raises(InvalidParameter, match=f"^{message}$"):
        names(filters=filters)
