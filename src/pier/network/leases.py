"""Leases over a restart of the daemon: one small file each, beside the sockets of the keepers.

They describe objects of the running kernel and mean nothing after a reboot, so they live in the runtime directory, not
in the records: no fsync stands between a container and its start. A file is written before the objects that it tells
of.
"""

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from pier.network.endpoints import StoredLease

_SUFFIX = ".json"


class LeaseFiles:
    """The directory of leases."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def write(self, lease: StoredLease) -> None:
        """Keep a lease. A crash between leaves the old file or the new, never a part."""
        path = self._path(lease.container_id)
        temporary = path.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(lease))
        os.replace(temporary, path)

    def forget(self, container_id: str) -> None:
        """Drop a lease; none is no error."""
        with suppress(FileNotFoundError):
            self._path(container_id).unlink()

    def load(self) -> dict[str, StoredLease]:
        """Return every lease by container; a damaged file is dropped, for its container's objects are found in the
        kernel.
        """
        found = {}
        for path in sorted(self._directory.glob("*" + _SUFFIX)):
            try:
                lease = msgspec.json.decode(path.read_bytes(), type=StoredLease)
            except (OSError, msgspec.MsgspecError):
                with suppress(OSError):
                    path.unlink()
            else:
                found[lease.container_id] = lease
        return found

    def _path(self, container_id: str) -> Path:
        return self._directory / (container_id + _SUFFIX)
