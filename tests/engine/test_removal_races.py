"""Removals that overlap with the making of a container: what somebody came to use in between stays."""

import asyncio
import secrets
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pier.engine.creating import Creating
from pier.engine.events import Events
from pier.engine.images import Images
from pier.engine.news import News
from pier.engine.offload import Offload
from pier.engine.projection import Projection
from pier.engine.record import Mounted
from pier.engine.volumes import Volumes
from pier.spec.containers import MountPoint
from pier.spec.errors import NotFound
from pier.spec.filters import Filters
from pier.store.layout import Layout
from pier.store.records import Records
from pier.volumes import volumes as store
from tests.engine.builders import record


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(tmp_path / "records.sqlite")
    yield opened
    opened.close()


def parts_of(records: Records, tmp_path: Path, **more: object) -> Any:
    events = Events()
    volumes = store.Volumes(
        records, tmp_path / "volumes", now=lambda: "2026-01-02T03:04:05Z", random_hex=lambda n: secrets.token_hex(n)[:n]
    )
    common = {"events": events, "news": News(events), "offload": Offload(2), "layout": Layout(tmp_path)}
    return SimpleNamespace(**common, volumes=volumes, **more)


def test_a_prune_leaves_a_volume_that_a_container_came_to_have(records: Records, tmp_path: Path) -> None:
    async def scene() -> None:
        parts = parts_of(records, tmp_path)
        projection = Projection(records)
        parts.volumes.create("data")
        loop, measured = asyncio.get_running_loop(), parts.volumes.usage

        def usage(name: str) -> int:
            """The volume is measured, and in this moment a container is made that has it."""
            mounted = Mounted(MountPoint("volume", name, "/v/data", "/data", "local"))
            made = record(image_id="x", mounts=(mounted,))
            asyncio.run_coroutine_threadsafe(add(made), loop).result(20)
            return int(measured(name))

        async def add(made: Any) -> None:
            await projection.add(made)[1]

        parts.volumes.usage = usage
        answer = await Volumes(parts, projection).prune(Filters.parse(""), anonymous_only=False)
        assert answer["VolumesDeleted"] == []
        assert parts.volumes.path("data").is_dir()
        parts.offload.close()

    asyncio.run(scene())


def test_a_removal_of_an_image_asks_for_its_users_when_it_removes(records: Records, tmp_path: Path) -> None:
    async def scene() -> None:
        projection = Projection(records)
        seen: list[list[str]] = []

        class Store:
            def remove(self, name: str, *, in_use: Any, **more: object) -> list[object]:
                del name, more
                loop_side = asyncio.run_coroutine_threadsafe(add(), loop)
                loop_side.result(20)
                seen.append(in_use("sha256:" + "a" * 64))
                return []

            def find(self, name: str) -> object:
                del name
                return SimpleNamespace(config=SimpleNamespace(run=SimpleNamespace(labels=None)))

        async def add() -> None:
            await projection.add(record())[1]

        loop = asyncio.get_running_loop()
        parts = parts_of(records, tmp_path, images=Store())
        pulling: Any = None
        await Images(parts, projection, pulling).remove("busybox", force=False, prune=True)
        assert seen == [[record().id]]
        parts.offload.close()

    asyncio.run(scene())


def test_a_container_is_not_made_of_an_image_that_goes(records: Records, tmp_path: Path) -> None:
    class Gone:
        def confirm(self, image_id: str) -> None:
            raise NotFound(f"No such image: {image_id}")

    parts = parts_of(records, tmp_path, images=Gone())
    nobody: Any = None
    with pytest.raises(NotFound, match="No such image"):
        Creating(Projection(records), parts, nobody)._make_directories(record())
    parts.offload.close()
