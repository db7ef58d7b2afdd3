"""A registry in a thread of its own that serves one image."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from tests.registry.fake import FakeRegistry


class Repository:
    """Serve an image of the given tars; `name` is what a pull asks for. Use it as a context manager."""

    def __init__(self, repository: str, tag: str, layers: list[bytes]) -> None:
        self._repository, self._tag, self._layers = repository, tag, layers
        self._loop = asyncio.new_event_loop()
        self._registry = FakeRegistry()
        self._thread = threading.Thread(target=self._loop.run_forever, name="registry")
        self.name = ""

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._registry.__aenter__())
        self._registry.add(self._tag, self._layers)
        self.name = f"{self._registry.address}/{self._repository}:{self._tag}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._registry.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work) -> None:  # type: ignore[no-untyped-def]
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)
