"""What nothing keeps any more goes: at start, what a crash left; while others work, on request.

Parts of downloads stay for a week to be carried on, unless space is asked for.
"""

import contextlib
import fcntl
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from pier.images.index import DOCUMENT, describe
from pier.images.repair import repair
from pier.spec import manifests
from pier.spec.errors import PierError
from pier.spec.manifests import Document
from pier.store import trees
from pier.store.records import Put

if TYPE_CHECKING:
    from pier.images.images import Images

_PART = re.compile(r"blob-[0-9a-f]{64}\Z")
_KEEP = 7 * 24 * 3600.0


def at_start(images: "Images", now: float) -> None:
    """Before anything else runs, under the images' lock; `now` in seconds since 1970."""
    clear_temporary(images.layout.tmp, now)
    images.leases.expire(int(now * 1e9))
    lost = set(repair(images.layers, images.blobs))
    for record in images.records():
        if lost & set(images.config(record).diff_ids):
            images.lose(record.id)
    _adopt_documents(images)
    images.layers.collect(images.wanted_layers, [layer.diff_id for layer in images.layers.all()])
    images.layers.clear()
    images.layers.sweep()
    images.layers.discard_blobs(images.wanted_documents() | images.leases.wanted())


def reclaim(images: "Images") -> int:
    """Leases, parts that nobody writes, layers and blobs that nothing keeps; the bytes. Under the images' lock."""
    images.leases.expire()
    freed = _clear_parts(images.layout.tmp)
    layers = images.layers.all()
    gone = set(images.layers.collect(images.wanted_layers, [layer.diff_id for layer in layers]))
    freed += sum(layer.size for layer in layers if layer.diff_id in gone)
    return freed + images.layers.discard_blobs(images.wanted_documents())


def clear_temporary(directory: Path, now: float) -> None:
    """Remove leftovers; `now` in seconds since 1970."""
    for name in os.listdir(directory):
        path = directory / name
        with contextlib.suppress(FileNotFoundError):
            if _PART.match(name) and now - path.stat().st_mtime < _KEEP:
                continue
            trees.remove(path)


def _clear_parts(directory: Path) -> int:
    """Remove the parts of downloads that no writer has locked; a writer that comes meanwhile begins anew."""
    freed = 0
    for name in filter(_PART.match, os.listdir(directory)):
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            fd = os.open(directory / name, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                freed += os.fstat(fd).st_size
                os.unlink(directory / name)
            finally:
                os.close(fd)
    return freed


def _adopt_documents(images: "Images") -> None:
    """Manifests that an earlier version kept without a record of their own get one."""
    for record in images.records():
        if record.manifest and not images.has_document(record.manifest):
            with contextlib.suppress(PierError):
                raw = images.blobs.read(record.manifest, manifests.MAX_BYTES)
                document = Document.of(raw, manifests.media_type_of(raw))
                images.write([Put(DOCUMENT, document.digest, msgspec.json.encode(describe(document)))])
