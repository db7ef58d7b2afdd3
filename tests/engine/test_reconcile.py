"""The daemon's start when something is wrong with one container: the others are taken over all the same."""

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pier.engine import record as documents
from pier.engine.container import Container
from pier.engine.events import Events
from pier.engine.exits import Exits
from pier.engine.inspect import Places, inspect
from pier.engine.news import News
from pier.engine.offload import Offload
from pier.engine.projection import KIND, Projection
from pier.engine.reconcile import Reconcile
from pier.engine.record import Record, State
from pier.engine.summary import summarise
from pier.spec.containers import HostConfig, RestartPolicy
from pier.store.layout import Layout
from pier.store.records import Put, Records
from tests.engine.builders import RUNNING, record

ENDED = State(status="exited", exit_code=3, started_at=1, finished_at=2)


class Machine:
    """The engine's parts as far as a start of the daemon needs them; `broken` are the ids that raise."""

    def __init__(self, records: Records, tmp_path: Path, *broken: str) -> None:
        self.broken = broken
        self.records, self.layout, self.exec_root = records, Layout(tmp_path / "data"), tmp_path / "run"
        self.layout.prepare()
        self.events, self.offload = Events(), Offload(2)
        self.news = News(self.events)
        self.launcher = SimpleNamespace(adopt=self._adopt)
        self.networks = SimpleNamespace(stored=dict, restore=lambda alive: None, lease=lambda id_: None)
        self.volumes = SimpleNamespace(restore=lambda holders: None)
        self.emptied: list[str] = []
        self.started: list[str] = []
        this: Any = self
        self.projection = Projection(records)
        containers: Any = SimpleNamespace(
            volumes=SimpleNamespace(remove_anonymous=self._remove_anonymous),
            exits=Exits(self.projection, this),
            starting=SimpleNamespace(start=self._start),
        )
        self.reconcile = Reconcile(self.projection, this, containers)

    def put(self, record: Record, *, runs: bool = False) -> None:
        """A container as an earlier daemon left it."""
        self.records.write(Put(KIND, record.id, documents.encode(record))).result(20)
        self.layout.container(record.id).mkdir()
        if runs:
            self.run_directory(record.id).mkdir(parents=True)

    def run_directory(self, container_id: str) -> Path:
        return self.exec_root / "containers" / container_id

    def empty_cgroup(self, container_id: str) -> None:
        self.emptied.append(container_id)

    def give_back(self, record: Record) -> None:
        del record

    def remove_files(self, container_id: str) -> None:
        self.layout.container(container_id).rmdir()

    def spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        return asyncio.ensure_future(work)

    def _check(self, container_id: str) -> None:
        if container_id in self.broken:
            raise KeyError("a defect")

    async def _adopt(self, directory: Path) -> Any:
        self._check(directory.name)
        exited = asyncio.get_running_loop().create_future()
        return SimpleNamespace(pid=42, started_at=1, exited=lambda: exited)

    async def _remove_anonymous(self, record: Record) -> None:
        self._check(record.id)

    async def _start(self, container: Container) -> None:
        self.started.append(container.name)
        self._check(container.id)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records.open(tmp_path / "records.sqlite")
    yield opened
    opened.close()


def states(machine: Machine) -> dict[str, tuple[str, str]]:
    """What people see of every container."""
    return {container.name: (container.state.status, container.state.error) for container in machine.projection}


def test_a_keeper_that_cannot_be_adopted_counts_as_killed(records: Records, tmp_path: Path) -> None:
    async def scene() -> None:
        machine = Machine(records, tmp_path, record(1).id)
        machine.put(record(1, state=RUNNING), runs=True)
        machine.put(record(2, state=RUNNING), runs=True)
        await machine.reconcile.run()
        why = "the container's keeper cannot be reached: internal error: KeyError"
        assert states(machine) == {"c1": ("exited", why), "c2": ("running", "")}
        assert machine.projection.find("c1").state.exit_code == 137
        assert machine.emptied == [record(1).id]
        machine.offload.close()

    asyncio.run(scene())


def test_a_create_that_cannot_be_undone_is_dead_until_the_next_start(records: Records, tmp_path: Path) -> None:
    async def scene() -> None:
        machine = Machine(records, tmp_path, record(1).id)
        machine.put(record(1, half_made=True))
        machine.put(record(2, half_made=True))
        machine.put(record(3, state=ENDED))
        await machine.reconcile.run()
        assert states(machine) == {"c1": ("dead", "internal error: KeyError"), "c3": ("exited", "")}
        machine.offload.close()
        again = Machine(records, tmp_path)
        await again.reconcile.run()
        assert states(again) == {"c3": ("exited", "")}
        again.offload.close()

    asyncio.run(scene())


def test_a_record_that_cannot_be_read_shows_as_dead_and_stays_as_it_is(records: Records, tmp_path: Path) -> None:
    documents_ = {
        record(1).id: b'{"name": "c3", "created": 5, "config": 7}',
        record(2).id: b"\xff{",
        "../other": b"",
    }

    async def scene() -> None:
        machine = Machine(records, tmp_path)
        machine.put(record(3, state=ENDED))
        for id_, document in documents_.items():
            records.write(Put(KIND, id_, document)).result(20)
        machine.layout.container(record(1).id).mkdir()
        await machine.reconcile.run()
        seen = states(machine)
        assert seen.pop("c3") == ("exited", "")
        assert [status for status, _ in seen.values()] == ["dead", "dead"]
        assert all(error.startswith("the container's record cannot be read: ") for _, error in seen.values())
        assert machine.layout.container(record(1).id).exists()
        for container in machine.projection:
            assert summarise(container.record, "busybox", 9)["State"] == container.state.status
            assert inspect(container.record, Places(tmp_path, (), "", ""), [])["Name"] == f"/{container.name}"
            await machine.projection.rename(container, f"x{container.name}")
        stored = records.load(KIND)
        assert {id_: stored[id_] for id_ in documents_} == documents_
        machine.offload.close()

    asyncio.run(scene())


def test_a_policy_that_meets_a_defect_keeps_no_other(
    records: Records, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        machine = Machine(records, tmp_path, record(1).id)
        always = HostConfig(RestartPolicy=RestartPolicy(Name="always"))
        for number in (1, 2):
            machine.put(record(number, state=ENDED, host_config=always))
        await machine.reconcile.run()
        await machine.reconcile.follow_policies()
        assert sorted(machine.started) == ["c1", "c2"]
        machine.offload.close()

    with caplog.at_level(logging.ERROR, "pier.engine"):
        asyncio.run(scene())
    assert caplog.messages == ["policy of container c1: internal error: KeyError"]
