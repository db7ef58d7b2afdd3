"""Mounts: what was asked for, and what a container gets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.engine.mount_plan import plan_mounts
from pier.engine.mount_specs import parse_bind, parse_mount, parse_volumes_from
from pier.engine.record import Mounted, Record
from pier.spec.containers import BindOptions, ContainerConfig, HostConfig, Mount, MountPoint, VolumeOptions
from pier.spec.errors import InvalidParameter, NotFound
from tests.engine.builders import record


def plan(config: ContainerConfig | None = None, **host_config: object) -> dict[str, Mounted]:
    names = iter(f"anon{number}" for number in range(10))
    planned = plan_mounts(
        config or ContainerConfig(),
        HostConfig(**host_config),  # type: ignore[arg-type]
        find=find,
        new_name=lambda: next(names),
        data_root="/var/lib/pier",
    )
    return {mounted.point.Destination: mounted for mounted in planned}


def find(reference: str) -> Record:
    if reference != "other":
        raise NotFound(f"No such container: {reference}")
    points = (
        MountPoint("volume", "data", "/v/data", "/data", "local", "z", True, ""),
        MountPoint("bind", "", "/srv", "/srv", "", "ro", False, "rprivate"),
        MountPoint("tmpfs", "", "", "/t"),
    )
    return record(mounts=tuple(Mounted(point) for point in points))


def test_a_path_is_bound_and_a_name_is_a_volume() -> None:
    mounts = plan(Binds=["/srv:/host:ro", "data:/data"])
    assert mounts["/host"].point == MountPoint("bind", "", "/srv", "/host", "", "ro", False, "rprivate")
    assert mounts["/host"].makes_source
    assert mounts["/data"].point == MountPoint("volume", "data", "", "/data", "local", "z", True, "")
    assert mounts["/data"].copies
    assert not mounts["/data"].anonymous


def test_the_images_volumes_are_anonymous_unless_something_is_there_already() -> None:
    config = ContainerConfig(Volumes={"/a": {}, "/data/": {}, "/tmpfs": {}})
    mounts = plan(config, Binds=["data:/data"], Tmpfs={"/tmpfs": ""})
    assert set(mounts) == {"/data", "/a"}
    assert (mounts["/a"].point.Name, mounts["/a"].anonymous, mounts["/a"].point.Mode) == ("anon0", True, "")


def test_mounts_of_all_kinds() -> None:
    mounts = plan(
        Mounts=[
            Mount(
                Type="bind", Source="/srv/", Target="/b", ReadOnly=True, BindOptions=BindOptions(Propagation="rshared")
            ),
            Mount(Type="volume", Source="data", Target="/v", VolumeOptions=VolumeOptions(NoCopy=True)),
            Mount(Type="volume", Target="/anonymous"),
            Mount(Type="tmpfs", Target="/t"),
        ]
    )
    assert mounts["/b"].point == MountPoint("bind", "", "/srv", "/b", "", "", False, "rshared")
    assert not mounts["/b"].makes_source
    assert not mounts["/v"].copies
    assert mounts["/anonymous"].anonymous
    assert mounts["/t"].point == MountPoint("tmpfs", "", "", "/t", "", "", True, "")


def test_volumes_from_takes_over_what_another_container_has_and_own_mounts_win() -> None:
    mounts = plan(VolumesFrom=["other:ro"], Binds=["/mine:/srv"])
    assert mounts["/data"].point == MountPoint("volume", "data", "/v/data", "/data", "local", "ro", False, "")
    assert not mounts["/data"].copies
    assert mounts["/srv"].point.Source == "/mine"
    assert "/t" not in mounts
    with pytest.raises(NotFound):
        plan(VolumesFrom=["nope"])


def test_a_bind_that_shows_the_data_root_is_a_slave() -> None:
    mounts = plan(Binds=["/var/lib:/a", "/:/b", "/var/lib/pierre:/c", "/var/lib/pier:/d"])
    propagations = {target: mounted.point.Propagation for target, mounted in mounts.items()}
    assert propagations == {"/a": "rslave", "/b": "rslave", "/c": "rprivate", "/d": "rslave"}


def test_two_mounts_at_one_place_are_refused() -> None:
    for wanted in ({"Binds": ["a1:/x", "b1:/x/"]}, {"Binds": ["a1:/x"], "Tmpfs": {"/x": ""}}):
        with pytest.raises(InvalidParameter, match=r"^Duplicate mount point: /x$"):
            plan(**wanted)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "invalid volume specification: 'a'"),
        ("a:b:c:d", "invalid volume specification: 'a:b:c:d'"),
        (":/x", "invalid volume specification: ':/x'"),
        ("/a:/", "destination can't be '/'"),
        ("/a:/../", "destination can't be '/'"),
        ("/a:b", "mount path must be absolute"),
        ("/a:/b:rw,ro", "invalid mode: rw,ro"),
        ("/a:/b:x", "invalid mode: x"),
        ("/a:/b:nocopy", "invalid mode: nocopy"),
        ("va:/b:rshared", "invalid mode: rshared"),
        ("/a:/b:shared,slave", "invalid mode: shared,slave"),
        ("a/b:/c", 'create a/b: "a/b" includes invalid characters for a local volume name'),
    ],
)
def test_bad_binds_are_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        parse_bind(text)
    assert message in refused.value.message


@given(st.text(alphabet="ab/:.,roz \0", max_size=12))
def test_a_bind_is_understood_or_refused(text: str) -> None:
    try:
        asked = parse_bind(text)
    except InvalidParameter:
        return
    assert asked.destination.startswith("/")
    assert asked.destination != "/"
    assert "/../" not in asked.destination + "/"


def test_volumes_from_has_a_mode() -> None:
    assert parse_volumes_from("web") == ("web", "rw")
    assert parse_volumes_from("web:ro,z") == ("web", "ro,z")
    for text in ("web:x", "", ":ro"):
        with pytest.raises(InvalidParameter):
            parse_volumes_from(text)


def test_a_mount_without_an_absolute_target_is_refused() -> None:
    with pytest.raises(InvalidParameter):
        parse_mount(Mount(Type="volume", Target="x"))
