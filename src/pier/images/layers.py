"""Unpacked layers: one directory per diff id, shared by all images, each with the compressed blob that it came from.

*Theory of operation.* A layer is unpacked into a workspace of its own under `tmp/` and renamed into place, so two
pulls of the same layer never write to one directory (CVE-2025-47290); the second finds the name taken and throws its
own away. The blob is fsynced, the tree is not: the record says in which boot it was written, and after a power loss a
tree that was not yet synced is unpacked again from its blob. A layer stays while an image names it or a `hold` is on
it; a pull holds what it found here until its image is recorded.
"""

import contextlib
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pier.kernel.faults import point
from pier.spec import digests
from pier.spec.errors import PierError, SystemFailure
from pier.store import trees
from pier.store.blobs import Blobs
from pier.store.layout import Layout
from pier.store.records import Delete, Put, Records

KIND = "layer"
_SETTLE_AFTER = 20.0  # seconds: a burst of pulls is synced once
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Layer(msgspec.Struct, frozen=True):
    """A layer that is here: its tar's digest, the blob it came from, its codec (`gzip`, `zstd`, …) and the bytes of
    its files.
    """

    diff_id: str
    blob: str
    blob_size: int
    codec: str
    size: int
    boot: str = ""  # the boot in which the tree was written; empty once it is known to be on the disk


@dataclass(frozen=True, slots=True)
class Workspace:
    """A directory to unpack into, not yet a layer."""

    path: Path
    directory: int  # a descriptor of the tree's root


class Layers:
    """The layers of a data root. Thread-safe."""

    def __init__(self, records: Records, layout: Layout, blobs: Blobs) -> None:
        self._records = records
        self._layout = layout
        self._blobs = blobs
        self._lock = threading.RLock()
        self._trash: list[Path] = []
        self._holds: Counter[str] = Counter()
        self._settling: threading.Timer | None = None
        self._boot = _BOOT_ID.read_text("ascii").strip()
        found = records.load(KIND)
        self._layers = {diff_id: msgspec.json.decode(document, type=Layer) for diff_id, document in found.items()}

    def get(self, diff_id: str) -> Layer | None:
        """The layer, None when it is not here."""
        return self._layers.get(diff_id)

    def size(self, diff_ids: Iterable[str]) -> int:
        """The bytes of the files of several layers."""
        return sum(self._layers[diff_id].size for diff_id in diff_ids if diff_id in self._layers)

    def directory(self, diff_id: str) -> Path:
        """The layer's tree."""
        return self._layout.layer(diff_id)

    def hold(self, diff_id: str) -> Layer | None:
        """Keep a layer that is here from being removed; None when it is not here. Each hold needs its `release`."""
        with self._lock:
            layer = self._layers.get(diff_id)
            if layer is not None:
                self._holds[diff_id] += 1
            return layer

    def release(self, diff_ids: Iterable[str]) -> None:
        """Take holds back; what nobody wants goes with the next `collect`."""
        with self._lock:
            self._holds.subtract(diff_ids)
            self._holds += Counter()

    @contextlib.contextmanager
    def workspace(self) -> Iterator[Workspace]:
        """An empty directory to unpack into; it is gone at the end unless it was adopted."""
        path = self._layout.tmp / f"layer-{os.urandom(12).hex()}"
        tree = path / "diff"
        path.mkdir(mode=0o710)
        try:
            tree.mkdir(mode=0o755)
            tree.chmod(0o755)
            directory = os.open(tree, _DIRECTORY)
            try:
                yield Workspace(path, directory)
            finally:
                os.close(directory)
        finally:
            trees.remove(path)

    def adopt(self, workspace: Workspace, layer: Layer) -> Layer:
        """Make a filled workspace the layer, and hold it.

        When the layer is here already, that one is held and returned.
        """
        with self._lock:
            known = self.hold(layer.diff_id)
            if known is not None:
                return known
            target = self._layout.layers / digests.hexadecimal(layer.diff_id)
            trees.remove(target)  # a tree without a record is what a crash left
            os.rename(workspace.path, target)
            point("layer-renamed")
            layer = msgspec.structs.replace(layer, boot=self._boot)
            self._records.write(Put(KIND, layer.diff_id, msgspec.json.encode(layer))).result()
            self._layers[layer.diff_id] = layer
            self._holds[layer.diff_id] += 1
            self._settle_soon()
            return layer

    def collect(self, wanted: Callable[[], set[str]], among: Iterable[str]) -> list[str]:
        """Forget those of `among` that no image wants and nobody holds; the diff ids that went. `clear` follows."""
        with self._lock:
            keep = wanted()
            gone = [
                diff_id
                for diff_id in dict.fromkeys(among)  # a layer may be in an image twice
                if diff_id in self._layers and diff_id not in keep and not self._holds[diff_id]
            ]
            if not gone:
                return []
            self._records.write(*(Delete(KIND, diff_id) for diff_id in gone)).result()
            blobs = [self._layers.pop(diff_id).blob for diff_id in gone]
            self._trash += [self._set_aside(diff_id) for diff_id in gone]
            kept = {layer.blob for layer in self._layers.values()}
            for blob in blobs:
                if blob not in kept:
                    self._blobs.discard(blob)
        return gone

    def discard_blobs(self, wanted: set[str]) -> int:
        """Remove the blobs that are neither `wanted` nor a layer's nor held; their bytes.

        No layer is adopted meanwhile, and who is about to adopt one holds its blob.
        """
        freed = 0
        with self._lock:
            kept = wanted | {layer.blob for layer in self._layers.values()}
            for digest in self._blobs.list():
                if digest not in kept:
                    freed += self._blobs.discard(digest)
        return freed

    def clear(self) -> None:
        """Remove the trees of collected layers from the disk. It takes a while: call it under no lock."""
        while self._trash:
            with contextlib.suppress(IndexError):  # somebody else takes the last one
                trees.remove(self._trash.pop())

    def _set_aside(self, diff_id: str) -> Path:
        """Free the name at once; the tree itself is removed by `clear`."""
        aside = self._layout.tmp / f"gone-{os.urandom(12).hex()}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(self._layout.layers / digests.hexadecimal(diff_id), aside)
        return aside

    def all(self) -> list[Layer]:
        """Every layer that is here."""
        return list(self._layers.values())

    def sweep(self) -> None:
        """At start: remove trees without a record."""
        known = {digests.hexadecimal(diff_id) for diff_id in self._layers}
        for name in os.listdir(self._layout.layers):
            if name not in known:
                trees.remove(self._layout.layers / name)

    def doubtful(self) -> list[Layer]:
        """Layers that must be unpacked again: their tree is missing, or was not on the disk when the machine went
        down.
        """
        return [
            layer
            for layer in self.all()
            if (layer.boot not in ("", self._boot)) or not self.directory(layer.diff_id).is_dir()
        ]

    def renew(self, layer: Layer, workspace: Workspace) -> None:
        """Put a tree that was unpacked again in the place of a doubtful one."""
        with self._lock:
            target = self._layout.layers / digests.hexadecimal(layer.diff_id)
            trees.remove(target)
            os.rename(workspace.path, target)
            self._record(msgspec.structs.replace(layer, boot=self._boot))

    def recode(self, diff_id: str, adopt: Callable[[], None], blob: str, size: int) -> Layer:
        """Give a layer that is here a gzip blob in the place of the one it has. `adopt` puts the new blob there."""
        with self._lock:
            layer = self._layers[diff_id]
            adopt()
            self._record(msgspec.structs.replace(layer, blob=blob, blob_size=size, codec="gzip"))
            if all(other.blob != layer.blob for other in self._layers.values()):
                self._blobs.discard(layer.blob)
            return self._layers[diff_id]

    def _settle_soon(self) -> None:
        if self._settling is None:
            self._settling = threading.Timer(_SETTLE_AFTER, self._settle_now)
            self._settling.daemon = True
            self._settling.start()

    def _settle_now(self) -> None:
        with self._lock:
            self._settling = None
        with contextlib.suppress(PierError, OSError):  # the layers stay doubtful, which costs time after a power loss
            self.settle()

    def close(self) -> None:
        """Cancel what would run in the background."""
        with self._lock:
            if self._settling is not None:
                self._settling.cancel()
                self._settling = None

    def settle(self) -> None:
        """Sync the file system and note that the trees are on the disk. Slow: run it where nobody waits."""
        unsettled = [layer for layer in self.all() if layer.boot == self._boot]
        if not unsettled:
            return
        sync_file_system(self._layout.layers)
        with self._lock:
            for layer in unsettled:
                if layer.diff_id in self._layers:
                    self._record(msgspec.structs.replace(layer, boot=""))

    def _record(self, layer: Layer) -> None:
        self._records.write(Put(KIND, layer.diff_id, msgspec.json.encode(layer))).result()
        self._layers[layer.diff_id] = layer


def sync_file_system(path: Path) -> None:
    """syncfs(2) of the file system that holds `path`."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    fd = os.open(path, _DIRECTORY)
    try:
        if libc.syncfs(fd) != 0:
            raise SystemFailure(f"sync {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(fd)
