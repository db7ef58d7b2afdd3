"""What work that was broken off will want again: layers and blobs by digest, durable, for a limited time.

A pull takes a lease before its first download. The lease goes in the same step in which the image is recorded, or when
the image turns out to be none, or it runs out; until then neither a restart nor a broken network takes away what was
finished.
"""

import threading
from collections.abc import Iterable

import msgspec

from pier.store.records import Delete, Put, Records

LEASE = "image-lease"
DURATION = 7 * 24 * 3600 * 10**9  # nanoseconds


class _Lease(msgspec.Struct, frozen=True):
    digests: tuple[str, ...]
    until: int  # nanoseconds since 1970


class Leases:
    """The leases of a data root, by name. Thread-safe."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        found = records.load(LEASE)
        self._leases = {name: msgspec.json.decode(raw, type=_Lease) for name, raw in found.items()}

    def take(self, name: str, digests: Iterable[str], now: int) -> None:
        """Keep digests (diff ids, blobs) for a week from `now`, in ns since 1970, in place of the name's earlier ones.

        It waits for the disk.
        """
        lease = _Lease(tuple(dict.fromkeys(digests)), now + DURATION)
        with self._lock:
            self._records.write(Put(LEASE, name, msgspec.json.encode(lease))).result()
            self._leases = {**self._leases, name: lease}

    def end(self, name: str) -> tuple[Delete, ...]:
        """The change that ends a lease, to be written with what makes it needless; `forget` follows."""
        return (Delete(LEASE, name),) if name in self._leases else ()

    def forget(self, names: Iterable[str]) -> None:
        """Leases whose end is written are not looked at any more."""
        gone = set(names)
        with self._lock:
            self._leases = {name: lease for name, lease in self._leases.items() if name not in gone}

    def drop(self, name: str) -> None:
        """End a lease of which nothing will come. It waits for the disk."""
        changes = self.end(name)
        if changes:
            self._records.write(*changes).result()
            self.forget([name])

    def expire(self, now: int | None = None) -> None:
        """End the leases that have run out; all of them when no time is given."""
        over = [name for name, lease in self._leases.items() if now is None or lease.until <= now]
        if over:
            self._records.write(*(Delete(LEASE, name) for name in over)).result()
            self.forget(over)

    def wanted(self) -> set[str]:
        """Every digest that some lease keeps."""
        return {digest for lease in self._leases.values() for digest in lease.digests}
