"""The daemon dies in the middle of each step of a container's life: the next one finds nothing half-made."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine

pytestmark = [pytest.mark.root]

Make = Callable[..., Engine]
POINTS = (
    "create-recorded",
    "create-volumes",
    "start-prepared",
    "start-launched",
    "exit-cleaned",
    "remove-volumes",
    "remove-moved",
)


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


def containers(engine: Engine) -> list[Any]:
    return list(engine.api("GET", "/containers/json?all=1").ok())


@pytest.mark.slow
def test_a_daemon_that_dies_anywhere_leaves_nothing_half_made(
    make_pierd: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = make_pierd()
    for point in POINTS:
        engine.stop()
        monkeypatch.setenv("PIER_FAULTS", f"{point}=kill")
        engine.start()
        with pytest.raises(OSError):
            live(engine, point)
        process = engine.process
        assert process is not None
        wait_until(lambda process=process: process.poll() is not None, f"the daemon dies at {point}")
        engine.process = None
        monkeypatch.delenv("PIER_FAULTS")
        engine.start()
        for container in containers(engine):
            assert container["State"] in ("running", "exited", "created"), (point, container)
            assert container["Mounts"], (point, container)
            assert engine.api("POST", f"/containers/{container['Id']}/start").status in (204, 304), point
            engine.api("DELETE", f"/containers/{container['Id']}?force=1&v=1").ok()
        assert engine.api("GET", "/volumes").ok()["Volumes"] in (None, []), point
        live(engine, point)
        assert containers(engine) == [], point


def test_a_full_disk_is_said_and_leaves_nothing(make_pierd: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIER_FAULTS", "start-prepared=ENOSPC@1")
    engine = make_pierd()
    engine.api("POST", "/containers/create?name=full", {"Image": "busybox", "Cmd": ["sleep", "100000"]}).ok()
    failed = engine.api("POST", "/containers/full/start")
    assert "no space left on device" in failed.message
    assert engine.api("GET", "/containers/full/json").ok()["State"]["Status"] == "created"
    engine.api("POST", "/containers/full/start").ok()
    engine.api("DELETE", "/containers/full?force=1").ok()
