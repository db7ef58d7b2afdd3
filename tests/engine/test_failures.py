"""What the engine does when the host, or the engine itself, fails in the middle: nobody waits for ever."""

import asyncio
import socket
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pier.engine.attaching import Attaching, AttachQuery
from pier.engine.container import Container
from pier.engine.events import Events
from pier.engine.execs import Execs
from pier.engine.exits import Exits
from pier.engine.logs import Logs
from pier.engine.news import News
from pier.engine.offload import Offload
from pier.engine.pending import Attachments
from pier.engine.projection import Projection
from pier.engine.record import State, replaced
from pier.engine.removing import Removing
from pier.engine.starting import Starting
from pier.engine.stopping import Stopping
from pier.runtime.requests import Attachment
from pier.runtime.state import Exit
from pier.spec.containers import ExecConfig, ExecStart
from pier.spec.errors import SystemFailure
from pier.store.layout import Layout
from tests.engine.builders import RUNNING, record


class Store:
    """A store whose writes are durable at once."""

    def write(self, *changes: object) -> Future[None]:
        del changes
        done: Future[None] = Future()
        done.set_result(None)
        return done


class Host:
    """The engine's parts as far as these tests go; `fails` are the names of those that fail."""

    def __init__(self, tmp_path: Path, *fails: str) -> None:
        self.events = Events()
        self.news = News(self.events)
        self.offload = Offload(2)
        self.attachments: Any = SimpleNamespace(drop=lambda container: None)
        self.layout, self.images = Layout(tmp_path), SimpleNamespace(release=lambda image_id: None)
        self.done: list[str] = []
        self.tasks: set[asyncio.Task[None]] = set()
        self._fails, self._tmp_path = fails, tmp_path

    def _step(self, name: str) -> None:
        self.done.append(name)
        if name in self._fails:
            raise TimeoutError(f"{name} fails")

    def empty_cgroup(self, container_id: str) -> None:
        del container_id
        self._step("empty_cgroup")

    def give_back(self, record: object) -> None:
        del record
        self._step("give_back")

    def cgroup(self, container_id: str) -> SimpleNamespace:
        del container_id
        return SimpleNamespace(exists=lambda: True)

    def run_directory(self, container_id: str) -> Path:
        return self._tmp_path / container_id

    def spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        return task


def scene_of(tmp_path: Path, state: State, *fails: str) -> tuple[Host, Projection, Exits, Container]:
    host: Any = Host(tmp_path, *fails)
    store: Any = Store()
    projection = Projection(store)
    container, _ = projection.add(replaced(record(), state=state))
    return host, projection, Exits(projection, host), container


def test_a_container_has_ended_whatever_of_it_cannot_be_cleaned_up(tmp_path: Path) -> None:
    async def scene() -> None:
        host, _, exits, container = scene_of(tmp_path, RUNNING, "empty_cgroup", "give_back")
        waiting = container.wait_for("not-running")
        await exits.end(container, Exit(code=7, oom=False, error="", finished_at=5))
        assert (await asyncio.wait_for(waiting, 10)).code == 7
        assert container.state.status == "exited"
        assert host.done == ["empty_cgroup", "give_back"]
        host.offload.close()

    asyncio.run(scene())


class Broken(Starting):
    """A start with a defect of ours in it."""

    async def _launch(self, container: Container) -> Any:
        del container
        raise KeyError("a defect")


def test_a_defect_in_a_start_leaves_nothing_and_says_so(tmp_path: Path) -> None:
    async def scene() -> None:
        host, projection, exits, container = scene_of(tmp_path, State(), "give_back")
        starting = Broken(projection, host, exits)  # type: ignore[arg-type]
        with pytest.raises(KeyError):
            await starting.start(container)
        assert host.done == ["empty_cgroup", "give_back"]
        assert (container.state.status, container.state.error) == ("created", "internal error: KeyError")
        host.offload.close()

    asyncio.run(scene())


def test_a_restart_by_policy_that_meets_a_defect_ends_the_wait(tmp_path: Path) -> None:
    async def scene() -> None:
        state = State(status="restarting", exit_code=3, started_at=1, finished_at=2)
        host, projection, exits, container = scene_of(tmp_path, state)
        waiting = container.wait_for("not-running")
        await Broken(projection, host, exits).start_again(container)  # type: ignore[arg-type]
        assert (await asyncio.wait_for(waiting, 10)).error == "internal error: KeyError"
        assert container.state.status == "exited"
        await asyncio.gather(*host.tasks)
        host.offload.close()

    asyncio.run(scene())


class LastMoment:
    """A takeover in whose middle the container ends."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self.client, self._server = socket.socketpair()
        self.client.settimeout(10)

    async def take(self) -> tuple[int, bytes]:
        self._container.keeper = None
        return self._server.detach(), b""


def test_an_exec_in_a_container_that_ends_meanwhile_did_not_succeed(tmp_path: Path) -> None:
    async def scene() -> None:
        host, projection, _, container = scene_of(tmp_path, RUNNING)
        container.keeper = object()  # type: ignore[assignment]
        execs = Execs(projection, host)  # type: ignore[arg-type]
        exec_id = execs.create(container.id, ExecConfig(Cmd=["true"], Tty=True))
        takeover = LastMoment(container)
        with takeover.client:
            await execs.start(exec_id, ExecStart(Tty=True), takeover)
            assert b"is not running" in takeover.client.recv(4096)
        assert execs.inspect(exec_id)["ExitCode"] == 126
        host.offload.close()

    asyncio.run(scene())


class RemovedMeanwhile(LastMoment):
    """A takeover in whose middle the container is removed."""

    def __init__(self, projection: Projection, container: Container) -> None:
        super().__init__(container)
        self._projection = projection

    async def take(self) -> tuple[int, bytes]:
        await self._projection.remove(self._container)
        return await super().take()


def test_an_attach_to_a_container_that_is_removed_meanwhile_ends(tmp_path: Path) -> None:
    async def scene() -> None:
        host, projection, _, container = scene_of(tmp_path, State())
        host.attachments = Attachments()
        attaching = Attaching(projection, host, Logs(host))  # type: ignore[arg-type]
        takeover = RemovedMeanwhile(projection, container)
        with takeover.client:
            await attaching.attach(container, AttachQuery(stream=True, stdout=True), takeover)
            assert takeover.client.recv(10) == b""
        assert container.pending == []
        host.attachments.close()
        host.offload.close()

    asyncio.run(scene())


def test_an_attach_in_the_middle_of_a_removal_ends_with_it(tmp_path: Path) -> None:
    async def scene() -> None:
        host, projection, exits, container = scene_of(tmp_path, State())
        host.attachments, loop = Attachments(), asyncio.get_running_loop()
        client, server = socket.socketpair()
        client.settimeout(10)

        async def add() -> None:
            host.attachments.add(container, Attachment(server.detach()))

        def attach(container_id: str) -> None:
            """The removal empties the cgroup, and in this moment a client attaches."""
            if not host.done:
                asyncio.run_coroutine_threadsafe(add(), loop).result(20)
            host.done.append(container_id)

        host.empty_cgroup = attach  # type: ignore[method-assign]
        removing = Removing(projection, host, Stopping(projection, host, exits))  # type: ignore[arg-type]
        with client:
            await removing.remove(container)
            assert client.recv(10) == b""
        await removing.finished()
        await asyncio.gather(*host.tasks)
        host.attachments.close()
        host.offload.close()

    asyncio.run(scene())


def test_a_container_whose_processes_stay_is_not_half_removed(tmp_path: Path) -> None:
    async def scene() -> None:
        state = State(status="exited", started_at=1, finished_at=2)
        host, projection, exits, container = scene_of(tmp_path, state, "empty_cgroup")
        removing = Removing(projection, host, Stopping(projection, host, exits))  # type: ignore[arg-type]
        with pytest.raises(SystemFailure, match="empty_cgroup fails"):
            await removing.remove(container)
        assert projection.find(container.id) is container
        assert (container.removal, container.state.status) == (False, "exited")
        host.offload.close()

    asyncio.run(scene())
