"""What the crash tests do to an engine: make containers, look at them, let the daemon die at a named point."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import wait_until
from tests.support.engines import Engine
from tests.support.pierd import Pierd


def create(engine: Engine, name: str, *command: str, **host_config: object) -> str:
    """Make a container without a network; its id."""
    body = {"Image": "busybox", "Cmd": list(command), "HostConfig": {"NetworkMode": "none", **host_config}}
    return str(engine.api("POST", f"/containers/create?name={name}", body).ok()["Id"])


def run(engine: Engine, name: str, *command: str, **host_config: object) -> str:
    """Make and start one."""
    container_id = create(engine, name, *command, **host_config)
    engine.api("POST", f"/containers/{name}/start").ok()
    return container_id


def state(engine: Engine, name: str) -> Any:
    """Its state, as inspect tells it."""
    return engine.api("GET", f"/containers/{name}/json").ok()["State"]


def logs(engine: Engine, name: str) -> bytes:
    """Its log in frames."""
    return bytes(engine.api("GET", f"/containers/{name}/logs?stdout=1&stderr=1").ok())


def lines(engine: Engine, name: str) -> list[str]:
    """The lines of its log, without frames; for containers that write whole lines."""
    data, found = logs(engine, name), []
    while data:
        size = int.from_bytes(data[4:8], "big")
        found.append(data[8 : 8 + size].decode().rstrip("\n"))
        data = data[8 + size :]
    return found


def ends(engine: Engine, name: str) -> int:
    """Wait for its end; the exit code."""
    return int(engine.api("POST", f"/containers/{name}/wait", timeout=120).ok()["StatusCode"])


def containers(engine: Engine) -> list[Any]:
    """Every container, as the list tells them."""
    return list(engine.api("GET", "/containers/json?all=1").ok())


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def keeper_of(pid: int) -> int:
    """The keeper is the parent of a container's first process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@contextlib.contextmanager
def deadly(engine: Pierd, point: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A daemon that dies at `point`, which the block must reach; after the block an ordinary one runs again."""
    engine.stop()
    monkeypatch.setenv("PIER_FAULTS", f"{point}=kill")
    engine.start()
    process = engine.process
    assert process is not None
    yield
    wait_until(lambda: process.poll() is not None, f"the daemon dies at {point}", seconds=30)
    engine.process = None
    monkeypatch.delenv("PIER_FAULTS")
    engine.start()


def leftovers(engine: Pierd) -> list[str]:
    """Files of the data root and the exec root that no container, image or volume of the API accounts for."""
    known = {container["Id"] for container in containers(engine)}
    images = [image["Id"] for image in engine.api("GET", "/images/json?all=1").ok()]
    layers = {
        diff_id.removeprefix("sha256:")
        for image in images
        for diff_id in engine.api("GET", f"/images/{image}/json").ok()["RootFS"]["Layers"]
    }
    volumes = {volume["Name"] for volume in engine.api("GET", "/volumes").ok()["Volumes"] or ()}
    found = [name for name in (engine.data_root / "tmp").iterdir() if name.name != "pier.lock"]
    for directory, names in (
        (engine.data_root / "containers", known),
        (engine.exec_root / "containers", known),
        (engine.data_root / "layers", layers),
        (engine.data_root / "volumes", volumes),
    ):
        found += [path for path in directory.iterdir() if path.name not in names]
    return sorted(str(path) for path in found)
