"""The daemon dies in the middle of each step of a container's and an image's life: the next one finds nothing
half-made, and everything can be done again.
"""

import io
import tarfile
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.crash.lives import containers, deadly, ends, leftovers, lines, run, state
from tests.crash.repository import Repository
from tests.support.commands import wait_until
from tests.support.engines import Engine
from tests.support.pierd import Pierd

pytestmark = pytest.mark.root
# What a client sees of a daemon that dies: no answer, or half of one.
DIED = (OSError, HTTPException)


@pytest.fixture(autouse=True)
def _removed(pierd: Pierd) -> Iterator[None]:
    """Tests share a daemon, and leave it alive and without containers, also when they fail."""
    yield
    if pierd.process is None or pierd.process.poll() is not None:
        pierd.process = None
        pierd.start()
    pierd.remove_containers()


def some(points: tuple[str, ...], *quick: str) -> list[object]:
    """Every point; all but the quick ones belong to the long run."""
    return [point if point in quick else pytest.param(point, marks=pytest.mark.slow) for point in points]


def live(engine: Engine, name: str) -> None:
    """A life from create to remove, as far as the daemon comes with it."""
    body = {"Image": "busybox", "Cmd": ["sleep", "100000"], "Volumes": {"/data": {}}}
    for method, target in (
        ("POST", f"/containers/create?name={name}"),
        ("POST", f"/containers/{name}/start"),
        ("POST", f"/containers/{name}/kill"),
        ("POST", f"/containers/{name}/wait"),
        ("DELETE", f"/containers/{name}?v=1"),
    ):
        engine.api(method, target, body if "create" in target else None)


LIFE = (
    "create-recorded", "create-volumes", "start-prepared", "start-launched", "exit-cleaned", "remove-volumes",
    "remove-moved",
)  # fmt: skip


@pytest.mark.parametrize("point", some(LIFE, "create-volumes", "start-launched"))
def test_a_life_of_a_container(pierd: Pierd, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    with deadly(pierd, point, monkeypatch), pytest.raises(DIED):
        live(pierd, point)
    assert leftovers(pierd) == []
    for container in containers(pierd):
        assert container["State"] in ("running", "exited", "created"), container
        assert container["Mounts"], container
        assert pierd.api("POST", f"/containers/{container['Id']}/start").status in (204, 304)
        pierd.api("DELETE", f"/containers/{container['Id']}?force=1&v=1").ok()
    assert pierd.api("GET", "/volumes").ok()["Volumes"] in (None, [])
    live(pierd, point)
    assert containers(pierd) == []
    wait_until(lambda: leftovers(pierd) == [], f"nothing is left: {leftovers(pierd)}")


def test_a_stop_that_waits(pierd: Pierd, monkeypatch: pytest.MonkeyPatch) -> None:
    """The container was told to stop and no daemon is there to kill it: it runs, and can be stopped again."""
    run_ = "trap 'echo told' TERM; echo ready; while :; do sleep 0.05; done"
    with deadly(pierd, "stop-signalled", monkeypatch), pytest.raises(DIED):
        run(pierd, "stubborn", "sh", "-c", run_)
        wait_until(lambda: lines(pierd, "stubborn") == ["ready"], "the trap is set")
        pierd.api("POST", "/containers/stubborn/stop?t=100")
    assert state(pierd, "stubborn")["Status"] == "running"
    wait_until(lambda: lines(pierd, "stubborn") == ["ready", "told"], "the signal had arrived")
    pierd.api("POST", "/containers/stubborn/stop?t=0").ok()
    assert ends(pierd, "stubborn") == 137
    pierd.api("DELETE", "/containers/stubborn").ok()


def test_an_exec_that_has_just_begun(pierd: Pierd, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its container goes on, the exec is forgotten, and another one runs."""
    with deadly(pierd, "exec-started", monkeypatch):
        run(pierd, "host", "sleep", "100000")
        exec_ = pierd.api("POST", "/containers/host/exec", {"Cmd": ["sleep", "99999"]}).ok()["Id"]
        with pytest.raises(DIED):
            pierd.api("POST", f"/exec/{exec_}/start", {"Detach": True})
    assert pierd.api("GET", f"/exec/{exec_}/json").status == 404
    again = pierd.api("POST", "/containers/host/exec", {"Cmd": ["true"]}).ok()["Id"]
    pierd.api("POST", f"/exec/{again}/start", {"Detach": True}).ok()
    wait_until(lambda: pierd.api("GET", f"/exec/{again}/json").ok()["ExitCode"] == 0, "the next exec ends")
    pierd.api("DELETE", "/containers/host?force=1").ok()
    wait_until(lambda: leftovers(pierd) == [], f"nothing is left: {leftovers(pierd)}")


def small_tar() -> bytes:
    """An archive that no other test's image has a layer of."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name in ("one", "two"):
            entry = tarfile.TarInfo(name)
            entry.size = 100_000
            archive.addfile(entry, io.BytesIO(name.encode() * 50_000))
    return target.getvalue()


def images(engine: Engine) -> list[str]:
    return sorted(tag for image in engine.api("GET", "/images/json").ok() for tag in image["RepoTags"])


@pytest.mark.parametrize("point", some(("layer-renamed", "image-layers"), "layer-renamed"))
def test_an_import(pierd: Pierd, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, point: str) -> None:
    tar = tmp_path / "small.tar"
    tar.write_bytes(small_tar())
    with deadly(pierd, point, monkeypatch), pytest.raises(DIED):
        pierd.load(tar, "small:1")
    assert images(pierd) == ["busybox:latest"]
    assert leftovers(pierd) == []
    pierd.load(tar, "small:1")
    assert images(pierd) == ["busybox:latest", "small:1"]
    pierd.api("DELETE", "/images/small:1").ok()
    assert leftovers(pierd) == []


@pytest.mark.parametrize("point", some(("blob-synced", "layer-renamed", "image-layers"), "blob-synced"))
def test_a_pull(pierd: Pierd, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """The blob that was there already is not fetched a second time."""
    with Repository("base/small", "1", [small_tar()]) as repository:
        pull = f"/images/create?fromImage={repository.name}"
        with deadly(pierd, point, monkeypatch), pytest.raises(DIED):
            pierd.api("POST", pull)
        assert images(pierd) == ["busybox:latest"]
        assert [path for path in leftovers(pierd) if "/tmp/blob-" not in path] == []
        assert b"Downloaded newer image" in pierd.api("POST", pull).body
        assert images(pierd) == sorted(["busybox:latest", repository.name])
        assert leftovers(pierd) == []
        pierd.api("DELETE", f"/images/{repository.name}").ok()
        assert leftovers(pierd) == []


def test_a_full_disk_at_a_start(pierd: Pierd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIER_FAULTS", "start-prepared=ENOSPC@1")
    pierd.restart()
    pierd.api("POST", "/containers/create?name=full", {"Image": "busybox", "Cmd": ["sleep", "100000"]}).ok()
    failed = pierd.api("POST", "/containers/full/start")
    assert "no space left on device" in failed.message
    assert state(pierd, "full")["Status"] == "created"
    pierd.api("POST", "/containers/full/start").ok()
    pierd.api("DELETE", "/containers/full?force=1").ok()


@pytest.mark.parametrize("point", some(("creator-start", "keeper-serving", "exit-record"), "keeper-serving"))
def test_a_process_of_the_runtime(pierd: Pierd, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """Whichever of its processes dies, the container ends with 137, leaves nothing, and starts again."""
    monkeypatch.setenv("PIER_FAULTS", f"{point}=kill")
    pierd.restart()
    body = {"Image": "busybox", "Cmd": ["sleep", "100000"], "HostConfig": {"NetworkMode": "none"}}
    pierd.api("POST", "/containers/create?name=doomed", body).ok()
    pierd.api("POST", "/containers/doomed/start").ok()
    pierd.api("POST", "/containers/doomed/kill")
    assert ends(pierd, "doomed") == 137
    assert ("keeper" in state(pierd, "doomed")["Error"]) == (point != "creator-start")
    monkeypatch.delenv("PIER_FAULTS")
    pierd.restart()
    pierd.api("POST", "/containers/doomed/start").ok()
    assert state(pierd, "doomed")["Status"] == "running"
    pierd.api("DELETE", "/containers/doomed?force=1").ok()
    wait_until(lambda: leftovers(pierd) == [], f"nothing is left: {leftovers(pierd)}")
