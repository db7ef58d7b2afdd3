"""Callers that give up: nothing is held for them, and nothing is closed under a thread that still works."""

import asyncio
import threading

import pytest

from pier.engine.container import Container
from pier.engine.offload import Offload
from tests.engine.builders import RUNNING, record


def test_who_gives_up_waiting_is_forgotten() -> None:
    async def scene() -> None:
        container = Container(record(state=RUNNING))
        first, second = container.wait_for("not-running"), container.wait_for("not-running")
        first.cancel()
        await asyncio.sleep(0)
        assert container.waiters == {"not-running": [second]}

    asyncio.run(scene())


def test_a_cancelled_caller_waits_for_its_thread_and_its_result_is_let_go() -> None:
    async def scene() -> None:
        offload, entered, leave = Offload(1), asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        log: list[str] = []

        def work() -> str:
            loop.call_soon_threadsafe(entered.set)
            assert leave.wait(20)
            log.append("worked")
            return "a descriptor"

        async def call() -> None:
            try:
                await offload.run(work, abandoned=lambda result: log.append(f"let {result} go"))
            finally:
                log.append("over")

        task = asyncio.ensure_future(call())
        await entered.wait()
        task.cancel()
        await asyncio.sleep(0)
        assert log == []
        leave.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert log == ["worked", "let a descriptor go", "over"]
        offload.close()

    asyncio.run(scene())
