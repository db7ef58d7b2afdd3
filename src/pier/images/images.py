"""The images of a data root: found by name, listed, tagged and removed. Plain and thread-safe; every change is
durable when the call returns.

What is known lives in `index`, layers in `layers`; removal, with Docker's rules, in `removal`.
"""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from pier.images import sweeping
from pier.images.image import Deleted, Image, ImageRecord, Untagged
from pier.images.index import KIND, TAG, Index, familiar, key
from pier.images.layers import Layer, Layers
from pier.images.removal import Removal
from pier.images.repair import repair
from pier.kernel.faults import point
from pier.spec import digests, image_config, references
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.image_config import ImageConfig
from pier.spec.references import Reference
from pier.store.blobs import Blobs
from pier.store.layout import Layout
from pier.store.records import Change, Delete, Put, Records


class Images:
    """The images of a data root. Thread-safe."""

    def __init__(self, records: Records, layout: Layout) -> None:
        self._records = records
        self.layout = layout
        self.blobs = Blobs(layout)
        self.layers = Layers(records, layout, self.blobs)
        self.lock = threading.RLock()
        self._configs: dict[str, ImageConfig] = {}
        self._index = Index.read(records.load(KIND), records.load(TAG))

    # Finding

    def find(self, name: str) -> Image:
        """The image of an id, a short id, `name[:tag]` or `name@digest`. NotFound in Docker's words."""
        index = self._index
        record = index.find(name)
        if record is None:
            raise NotFound(f"No such image: {familiar(name)}")
        return self._view(record, index)

    def by_id(self, image_id: str) -> Image:
        """The image of a full id, also when it was removed by force under a container that still needs it."""
        index = self._index
        record = index.images.get(image_id)
        if record is None:
            raise NotFound(f"No such image: {image_id}")
        return self._view(record, index)

    def confirm(self, image_id: str) -> None:
        """Return once no removal is under way that may not have seen the caller; NotFound when the image went.

        It waits for the disk: call it in a thread.
        """
        with self.lock:
            self.by_id(image_id)

    def children(self, image_id: str) -> list[str]:
        """The ids of the images that were made from this one."""
        return [record.id for record in self._index.images.values() if record.parent == image_id and not record.hidden]

    def references(self, image_id: str) -> list[Reference]:
        """The full names of an image, sorted."""
        return list(self._index.names.get(image_id, ()))

    def resolve(self, reference: Reference) -> str | None:
        """The id that a whole name (with tag or digest) stands for."""
        return self._index.tags.get(key(reference))

    def layer_directories(self, image: Image) -> tuple[Path, ...]:
        """The directories of the image's layers, lowest first."""
        return tuple(self.layers.directory(diff_id) for diff_id in image.diff_ids)

    def layer_sizes(self, image: Image) -> tuple[int, ...]:
        """The bytes of each layer, lowest first."""
        return tuple(self.layers.size([diff_id]) for diff_id in image.diff_ids)

    # Changing

    def add(
        self, raw: bytes, *, names: Iterable[Reference] = (), manifest: str = "", parent: str = ""
    ) -> tuple[Image, bool]:
        """Record an image whose layers are here (and held), with its names; the image, and whether it is new."""
        config = image_config.parse(raw)
        for diff_id in config.diff_ids:
            if self.layers.get(diff_id) is None:
                raise NotFound(f"layer {diff_id} does not exist")
        image_id = digests.of(raw)
        point("image-layers")
        with self.lock:
            known = self._index.images.get(image_id)
            record = ImageRecord(image_id, raw, manifest or (known.manifest if known else ""), parent, time.time_ns())
            changes: list[Change] = [Put(KIND, image_id, msgspec.json.encode(record))]
            changes += [Put(TAG, key(name), image_id.encode("ascii")) for name in names]
            self.write(changes)
            return self._view(record, self._index), known is None or known.hidden

    def tag(self, source: str, target: str) -> None:
        """Give the image `source` the name `target`; the image that had it loses it."""
        reference = references.parse(target)
        if reference.digest is not None:
            raise InvalidParameter("refusing to create a tag with a digest reference")
        if reference.familiar_name == "sha256":
            raise InvalidParameter("refusing to create an ambiguous tag using digest algorithm as name")
        with self.lock:
            image = self.find(source)
            record = msgspec.structs.replace(self._index.images[image.id], tagged_at=time.time_ns())
            name = key(reference.with_default_tag())
            self.write([Put(KIND, image.id, msgspec.json.encode(record)), Put(TAG, name, image.id.encode("ascii"))])

    def remove(
        self,
        name: str,
        *,
        force: bool,
        prune: bool,
        in_use: Callable[[str], list[str]],
        running: Callable[[str], list[str]] = lambda _: [],
    ) -> list[Untagged | Deleted]:
        """Remove a name or an image, as Docker does.

        `in_use` gives the ids of the containers of an image id, `running` those that run.
        """
        with self.lock:
            report = Removal(self, force=force, prune=prune, in_use=in_use, running=running).run(name)
        self.layers.clear()
        return report

    def release(self, image_id: str) -> None:
        """The last container of an image is gone: what was removed by force and kept for it goes as well."""
        with self.lock:
            record = self._index.images.get(image_id)
            if record is not None and record.hidden:
                self.forget(image_id)
        self.layers.clear()

    # For removal, pull and import

    def untag(self, reference: Reference) -> None:
        """Remove one name."""
        self.write([Delete(TAG, key(reference))])

    def hide(self, image_id: str) -> None:
        """Take an image out of sight, because a container still needs its layers."""
        record = msgspec.structs.replace(self._index.images[image_id], hidden=True)
        self.write([Put(KIND, image_id, msgspec.json.encode(record))])

    def forget(self, image_id: str) -> list[str]:
        """Remove an image and the layers that no other wants; the layers' diff ids that went."""
        record = self._index.images[image_id]
        diff_ids = self._config(record).diff_ids
        self.write([Delete(KIND, image_id)])
        self._configs.pop(image_id, None)
        if record.manifest and all(other.manifest != record.manifest for other in self._index.images.values()):
            self.blobs.delete(record.manifest)
        return self.layers.collect(self.wanted_layers, diff_ids)

    def collect(self, diff_ids: Iterable[str]) -> None:
        """Remove those of the layers that no image wants and nobody holds, after a pull that failed."""
        with self.lock:
            self.layers.collect(self.wanted_layers, list(diff_ids))
        self.layers.clear()

    def wanted_layers(self) -> set[str]:
        """The diff ids that some image needs, hidden ones included."""
        return {diff_id for record in self._index.images.values() for diff_id in self._config(record).diff_ids}

    def write(self, changes: Iterable[Change]) -> None:
        """Make changes of images and names durable, then visible."""
        changes = tuple(changes)
        self._records.write(*changes).result()
        self._index = self._index.after(changes)

    def sweep(self) -> None:
        """At start, before anything else runs: mend layers after a power loss, remove what a crash left or no image
        needs.
        """
        with self.lock:
            sweeping.clear_temporary(self.layout.tmp, time.time())
            lost = set(repair(self.layers, self.blobs))
            for record in list(self._index.images.values()):
                if lost & set(self._config(record).diff_ids):
                    self._lose(record.id)
            self.layers.collect(self.wanted_layers, [layer.diff_id for layer in self.layers.all()])
            self.layers.clear()
            self.layers.sweep()
            wanted = {layer.blob for layer in self.layers.all()}
            wanted |= {record.manifest for record in self._index.images.values()}
            for digest in self.blobs.list():
                if digest not in wanted:
                    self.blobs.delete(digest)

    def _lose(self, image_id: str) -> None:
        self.write([Delete(KIND, image_id), *(Delete(TAG, key(name)) for name in self.references(image_id))])

    def close(self) -> None:
        """End what works in the background, before the records are closed. Calling it twice is harmless."""
        self.layers.close()

    def _config(self, record: ImageRecord) -> ImageConfig:
        config = self._configs.get(record.id)
        if config is None:
            config = self._configs[record.id] = image_config.parse(record.raw)
        return config

    def _view(self, record: ImageRecord, index: Index) -> Image:
        config = self._config(record)
        names = index.names.get(record.id, ())
        return Image(
            id=record.id,
            config=config,
            raw=record.raw,
            tags=tuple(name.familiar for name in names if name.digest is None),
            digests=tuple(name.familiar for name in names if name.digest is not None),
            size=self.layers.size(config.diff_ids),
            created=config.created or "",
            parent=record.parent,
            manifest=record.manifest,
            tagged_at=record.tagged_at,
        )

    def layer_of(self, diff_id: str) -> Layer:
        """The layer of a diff id. NotFound when it is not here."""
        layer = self.layers.get(diff_id)
        if layer is None:
            raise NotFound(f"layer {diff_id} does not exist")
        return layer

    def list(self) -> list[Image]:
        """Every image, those without a name included; the newest first."""
        index = self._index
        images = [self._view(record, index) for record in index.images.values() if not record.hidden]
        return sorted(images, key=lambda image: image.created, reverse=True)
