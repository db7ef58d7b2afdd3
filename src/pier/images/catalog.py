"""What is in a store of images, read without a lock: images by name and platform, their variants, documents and
layers. Changes are made in `images`.
"""

from collections.abc import Iterable
from pathlib import Path

from pier.images.image import Image, ImageRecord, platform_of
from pier.images.index import DOCUMENT, KIND, TAG, Index, familiar, key
from pier.images.layers import Layer, Layers
from pier.images.leases import Leases
from pier.spec import image_config, manifests
from pier.spec.errors import NotFound
from pier.spec.image_config import ImageConfig
from pier.spec.manifests import Document
from pier.spec.platforms import Platform
from pier.spec.references import Reference
from pier.store.blobs import Blobs
from pier.store.layout import Layout
from pier.store.records import Records


class Catalog:
    """The images of a data root, for reading. Thread-safe."""

    def __init__(self, records: Records, layout: Layout) -> None:
        self.layout = layout
        self.blobs = Blobs(layout)
        self.layers = Layers(records, layout, self.blobs)
        self.leases = Leases(records)
        self._configs: dict[str, ImageConfig] = {}
        self._views: dict[str, Image] = {}
        self._index = Index.read(records.load(KIND), records.load(TAG), records.load(DOCUMENT))

    def find(self, name: str, platform: Platform | None = None) -> Image:
        """The image of an id, a short id, `name[:tag]` or `name@digest`; of a name's variants the one for `platform`.

        NotFound in Docker's words.
        """
        index = self._index
        record = index.find(name)
        if record is None:
            raise NotFound(f"No such image: {familiar(name)}")
        if platform is None:
            return self._view(record, index)
        named = index.named(name)
        found = [record.id, *(index.variants(named.target) if named else ())]
        best = self.best(found, platform, index)
        if best is None:
            raise NotFound(
                f"image with reference {name} was found but does not provide the specified platform ({platform})"
            )
        return self._view(index.images[best], index)

    def best(self, image_ids: Iterable[str], platform: Platform, index: Index | None = None) -> str | None:
        """The image that serves a platform best; the first of equals."""
        images = (index or self._index).images
        ranked = [(platform.rank(platform_of(self.config(images[one]))), one) for one in image_ids]
        usable = [(rank, one) for rank, one in ranked if rank is not None]
        return min(usable, key=lambda found: found[0])[1] if usable else None

    def target(self, name: str) -> str:
        """The digest of the manifest or index that a name stands for; of an id, of its own manifest. It is empty for
        what was made here and not pushed. NotFound in Docker's words.
        """
        index = self._index
        named = index.named(name)
        return named.target if named else index.images[self.find(name).id].manifest

    def variants(self, name: str) -> list[Image]:
        """The images, one per platform, that a name or id stands for: the one that it resolves to first."""
        index = self._index
        first = self.find(name).id
        named = index.named(name)
        found = dict.fromkeys([first, *(index.variants(named.target) if named else ())])
        return [self._view(index.images[image_id], index) for image_id in found if image_id in index.images]

    def has_document(self, digest: str) -> bool:
        """Tell whether a manifest or index is kept here."""
        return digest in self._index.documents

    def document(self, digest: str) -> Document:
        """A manifest or index as it came. NotFound when it is not here."""
        kept = self._index.documents.get(digest)
        if kept is None:
            raise NotFound(f"no such manifest: {digest}")
        return Document(self.blobs.read(digest, manifests.MAX_BYTES), kept.media_type, digest)

    def documents(self, target: str) -> list[Document]:
        """The document `target` and all to which it leads, as far as they are here: the top one first."""
        return [self.document(digest) for digest in self._index.reach([target])]

    def reached(self, roots: Iterable[str]) -> tuple[str, ...]:
        """The digests of the documents here to which `roots` lead, themselves among them."""
        return tuple(self._index.reach(roots))

    def by_id(self, image_id: str) -> Image:
        """The image of a full id, also when it was removed by force under a container that still needs it."""
        index = self._index
        record = index.images.get(image_id)
        if record is None:
            raise NotFound(f"No such image: {image_id}")
        return self._view(record, index)

    def children(self, image_id: str) -> list[str]:
        """The ids of the images that were made from this one."""
        return [record.id for record in self._index.images.values() if record.parent == image_id and not record.hidden]

    def references(self, image_id: str) -> list[Reference]:
        """The full names of an image, sorted."""
        return list(self._index.names.get(image_id, ()))

    def resolve(self, reference: Reference) -> str | None:
        """The id that a whole name (with tag or digest) resolves to."""
        name = self._index.tags.get(key(reference))
        return name.image if name else None

    def layer_directories(self, image: Image) -> tuple[Path, ...]:
        """The directories of the image's layers, lowest first."""
        return tuple(self.layers.directory(diff_id) for diff_id in image.diff_ids)

    def layer_sizes(self, image: Image) -> tuple[int, ...]:
        """The bytes of each layer, lowest first."""
        return tuple(self.layers.size([diff_id]) for diff_id in image.diff_ids)

    def records(self) -> list[ImageRecord]:
        """Every image as it is kept, hidden ones included."""
        return list(self._index.images.values())

    def wanted_layers(self) -> set[str]:
        """The diff ids that some image needs, hidden ones included, or that a lease keeps."""
        needed = {diff_id for record in self._index.images.values() for diff_id in self.config(record).diff_ids}
        return needed | self.leases.wanted()

    def wanted_documents(self) -> set[str]:
        """The digests of the documents that are kept."""
        return set(self._index.documents)

    def config(self, record: ImageRecord) -> ImageConfig:
        """The configuration of an image as it is kept."""
        config = self._configs.get(record.id)
        if config is None:
            config = self._configs[record.id] = image_config.parse(record.raw)
        return config

    def _view(self, record: ImageRecord, index: Index) -> Image:
        if index is self._index and (known := self._views.get(record.id)) is not None:
            return known
        view = self._make_view(record, index)
        if index is self._index:
            self._views[record.id] = view
        return view

    def _make_view(self, record: ImageRecord, index: Index) -> Image:
        config = self.config(record)
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
            variant_of=tuple(name.familiar for name in index.variant_names.get(record.id, ())),
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
