"""Which images a list shows and a prune takes, and how they look in Docker's JSON. Pure."""

from pathlib import Path

import pytest

from pier.engine import image_filters, image_views
from pier.images.image import Deleted, Image, Untagged
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.filters import Filters
from pier.spec.image_config import History, ImageConfig, RootFs, RunConfig

NOW = 1_800_000_000 * 1_000_000_000


def image(name: str, day: int, *, digests: tuple[str, ...] = (), labels: dict[str, str] | None = None) -> Image:
    """An image made on a day of January 2026; its name may be empty."""
    created = f"2026-01-{day:02d}T00:00:00Z"
    history = [
        History(created=created, created_by="ADD x", comment="first"),
        History(created=created, created_by="ENV", empty_layer=True),
        History(created=created, created_by="RUN y"),
    ]
    config = ImageConfig(
        architecture="amd64",
        os="linux",
        config=RunConfig(labels=labels, cmd=["sh"]),
        rootfs=RootFs(diff_ids=["sha256:" + "1" * 64, "sha256:" + "2" * 64]),
        history=history,
        created=created,
    )
    identity = f"sha256:{day:064d}"
    return Image(identity, config, b"", (name,) if name else (), digests, 30, created)


WEB = image("web:1", 3, labels={"stage": "live"})
DB = image("reg.example/team/db:2", 2)
NAMELESS = image("", 1)
PULLED = image("", 4, digests=("web@sha256:" + "a" * 64,))
ALL = [PULLED, WEB, DB, NAMELESS]


def find(name: str) -> Image:
    found = [one for one in ALL if name in one.tags]
    if not found:
        raise NotFound(f"No such image: {name}")
    return found[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ALL),
        ({"dangling": ("true",)}, [NAMELESS]),
        ({"dangling": ("false",)}, [PULLED, WEB, DB]),
        ({"label": ("stage",)}, [WEB]),
        ({"label": ("stage=test",)}, []),
        ({"before": ("web:1",)}, [DB, NAMELESS]),
        ({"since": ("reg.example/team/db:2",)}, [PULLED, WEB]),
        ({"until": ("2026-01-02",)}, [DB, NAMELESS]),
        ({"reference": ("web",)}, [PULLED, WEB]),
        ({"reference": ("web:*",)}, [WEB]),
        ({"reference": ("*",)}, [PULLED, WEB]),
        ({"reference": ("reg.example/*/d?",)}, [DB]),
        ({"reference": ("reg.example/team/[a-d]b:2", "nope")}, [DB]),
    ],
)
def test_filters_choose(fields: dict[str, tuple[str, ...]], expected: list[Image]) -> None:
    assert image_filters.choose(ALL, Filters(fields), find, NOW) == expected


@pytest.mark.parametrize(
    "fields", [{"colour": ("red",)}, {"dangling": ("maybe",)}, {"until": ("a", "b")}, {"reference": ("[a",)}]
)
def test_bad_filters_are_refused(fields: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(InvalidParameter):
        image_filters.choose(ALL, Filters(fields), find, NOW)


def test_an_unknown_image_in_a_filter_is_not_found() -> None:
    with pytest.raises(NotFound):
        image_filters.choose(ALL, Filters({"before": ("nope",)}), find, NOW)


def test_a_filter_on_references_limits_the_names_shown() -> None:
    both = image("web:1", 5, digests=("other@sha256:" + "b" * 64,))
    assert image_filters.names(both, Filters({"reference": ("web:*",)})) == (("web:1",), ())
    assert image_filters.names(both, Filters()) == (both.tags, both.digests)


def test_a_prune_takes_dangling_images_or_all() -> None:
    taken = [one for one in ALL if image_filters.prunable(one, Filters(), NOW)]
    assert taken == [NAMELESS]
    every = Filters({"dangling": ("false",), "label!": ("stage",)})
    assert [one for one in ALL if image_filters.prunable(one, every, NOW)] == [PULLED, DB, NAMELESS]


def test_rows_have_dockers_keys() -> None:
    assert image_views.summary(WEB) == {
        "Containers": -1,
        "Created": 1767398400,
        "Id": WEB.id,
        "Labels": {"stage": "live"},
        "ParentId": "",
        "RepoDigests": [],
        "RepoTags": ["web:1"],
        "SharedSize": -1,
        "Size": 30,
    }


def test_history_gives_sizes_to_the_steps_that_made_layers() -> None:
    rows = image_views.history(WEB, [10, 20])
    assert [(row["CreatedBy"], row["Size"]) for row in rows] == [("RUN y", 20), ("ENV", 0), ("ADD x", 10)]
    assert [row["Id"] for row in rows] == [WEB.id, "<missing>", "<missing>"]
    assert rows[0]["Tags"] == ["web:1"]


def test_inspect_names_the_layers_topmost_as_upper() -> None:
    view = image_views.inspect(WEB, [Path("/l/1/diff"), Path("/l/2/diff")])
    assert view["GraphDriver"]["Data"]["UpperDir"] == "/l/2/diff"
    assert view["GraphDriver"]["Data"]["LowerDir"] == "/l/1/diff"
    assert view["Config"] == {"Cmd": ["sh"], "Labels": {"stage": "live"}}
    assert image_views.inspect(NAMELESS, [])["GraphDriver"]["Data"]["UpperDir"] == ""


def test_a_removal_is_told_in_its_order() -> None:
    report = [Untagged("web:1"), Deleted("sha256:1")]
    assert image_views.removed(report) == [{"Untagged": "web:1"}, {"Deleted": "sha256:1"}]


@pytest.mark.parametrize(
    ("text", "seconds"), [("", -62135596800), ("nonsense", -62135596800), ("1970-01-01T00:00:01.9Z", 1)]
)
def test_times_that_are_none_are_gos_zero(text: str, seconds: int) -> None:
    assert image_views.seconds(text) == seconds
