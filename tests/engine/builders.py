"""Records for tests: a container with everything at its default, and what a test changes."""

from pier.engine.record import Record, State
from pier.spec.containers import ContainerConfig, HostConfig

SECOND = 1_000_000_000
RUNNING = State(status="running", pid=42, started_at=SECOND)


def record(number: int = 1, **changes: object) -> Record:
    """A record whose id, name and time of creation come from its number."""
    values: dict[str, object] = {
        "id": f"{number:064x}",
        "name": f"c{number}",
        "created": number * SECOND,
        "image_id": "sha256:" + "a" * 64,
        "path": "sh",
        "config": ContainerConfig(Image="busybox", Cmd=["sh"]),
        "host_config": HostConfig(NetworkMode="default"),
    }
    return Record(**(values | changes))  # type: ignore[arg-type]
