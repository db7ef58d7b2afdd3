"""The paths under a data root. Pure words, but for `prepare`, which makes the directories with their modes.

Nothing here trusts a name that came from outside: ids and digests are checked by the grammar before they become a
path (CVE-2014-9358, CVE-2024-3727).
"""

import os
import re
from pathlib import Path

from pier.spec.digests import hexadecimal
from pier.spec.errors import InvalidParameter

_CONTAINER_ID = re.compile(r"[0-9a-f]{64}\Z")


class Layout:
    """Where everything lies: one object per data root."""

    def __init__(self, data_root: Path) -> None:
        self.root = data_root
        self.records = data_root / "records.sqlite"
        self.blobs = data_root / "blobs" / "sha256"
        self.layers = data_root / "layers"
        self.containers = data_root / "containers"
        self.volumes = data_root / "volumes"
        self.tmp = data_root / "tmp"

    def prepare(self) -> None:
        """Make the directories that are missing.

        The root is 0710: a host user never reaches a setuid file of a layer (CVE-2021-41091).
        """
        self.root.mkdir(parents=True, exist_ok=True, mode=0o710)
        os.chmod(self.root, 0o710)  # noqa: S103
        for directory in (self.root / "blobs", self.blobs, self.layers, self.containers, self.volumes, self.tmp):
            directory.mkdir(exist_ok=True, mode=0o710)
        os.chmod(self.tmp, 0o700)

    def container(self, container_id: str) -> Path:
        """The directory of a container, by its full id of 64 hexadecimal digits."""
        if not _CONTAINER_ID.match(container_id):
            raise InvalidParameter(f"invalid container id: {container_id[:80]!r}")
        return self.containers / container_id

    def layer(self, diff_id: str) -> Path:
        """The unpacked tree of a layer, by its diff id (`sha256:…`)."""
        return self.layers / hexadecimal(diff_id) / "diff"

    def blob(self, digest: str) -> Path:
        """The file of a blob, by its digest (`sha256:…`)."""
        return self.blobs / hexadecimal(digest)
