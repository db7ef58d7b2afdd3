"""Work that reports by callback, as an iterator: order, errors before and after the first report, cancellation."""

import asyncio
from collections.abc import Callable

import pytest

from pier.engine.progress import reports
from pier.spec.errors import NotFound


async def gather(work: Callable[..., object]) -> list[object]:
    return [report async for report in reports(work)]  # type: ignore[arg-type]


def test_reports_come_in_order_and_end() -> None:
    async def work(report: Callable[[int], None]) -> None:
        for number in range(3):
            report(number)
            await asyncio.sleep(0)

    assert asyncio.run(gather(work)) == [0, 1, 2]


def test_an_error_before_the_first_report_is_raised() -> None:
    async def work(report: Callable[[int], None]) -> None:
        raise NotFound("nothing there")

    with pytest.raises(NotFound, match="nothing there"):
        asyncio.run(gather(work))


def test_an_error_after_a_report_is_the_last_report() -> None:
    async def work(report: Callable[[int], None]) -> None:
        report(1)
        raise NotFound("broke off")

    assert asyncio.run(gather(work)) == [1, {"errorDetail": {"message": "broke off"}, "error": "broke off"}]


def test_the_work_ends_with_its_iterator() -> None:
    ended: list[bool] = []

    async def work(report: Callable[[int], None]) -> None:
        try:
            report(1)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async def leave() -> None:
        iterator = reports(work)
        assert await anext(iterator) == 1
        await iterator.aclose()  # type: ignore[attr-defined]
        assert ended == [True]

    asyncio.run(leave())
