"""Who is at work with what, by digest: counted in memory, since no work outlives the daemon."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator


class Holds:
    """Counts the holds on digests. Thread-safe; `lock` may be held to look and act as one step."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._count: Counter[str] = Counter()

    def __contains__(self, digest: str) -> bool:
        return self._count[digest] > 0

    def take(self, digests: Iterable[str]) -> None:
        """One more hold on each. Each needs its `release`."""
        with self.lock:
            self._count.update(digests)

    def release(self, digests: Iterable[str]) -> None:
        """One hold less on each."""
        with self.lock:
            self._count.subtract(digests)
            self._count += Counter()

    def all(self) -> set[str]:
        """What is held."""
        with self.lock:
            return set(self._count)

    @contextlib.contextmanager
    def on(self, *digests: str) -> Iterator[None]:
        """Hold digests for a while."""
        self.take(digests)
        try:
            yield
        finally:
            self.release(digests)
