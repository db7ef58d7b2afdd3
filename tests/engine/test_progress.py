"""Work that reports by callback, as an iterator: order, errors before and after the first report, cancellation."""

import asyncio
import errno
from collections.abc import Callable

import pytest

from pier.engine.progress import reports
from pier.spec.errors import NotFound, SystemFailure


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


def test_what_the_host_fails_at_is_told_after_a_report_and_raised_before_one() -> None:
    async def late(report: Callable[[int], None]) -> None:
        report(1)
        await early(report)

    async def early(report: Callable[[int], None]) -> None:
        del report
        raise OSError(errno.EIO, "Input/output error", "/blobs/x")

    words = "/blobs/x: input/output error"
    assert asyncio.run(gather(late)) == [1, {"errorDetail": {"message": words}, "error": words}]
    with pytest.raises(SystemFailure, match=words):
        asyncio.run(gather(early))


def test_a_defect_after_a_report_is_told_without_its_details() -> None:
    async def work(report: Callable[[int], None]) -> None:
        report(1)
        raise KeyError("secret")

    last = asyncio.run(gather(work))[-1]
    assert isinstance(last, dict)
    assert last["error"] == "internal error: KeyError, see the daemon's log"


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
