"""The images of a data root: found by name, listed, tagged and removed. Plain and thread-safe; every change is
durable when the call returns.

What is known lives in `index`, layers in `layers`; removal, with Docker's rules, in `removal`; what nobody wants
goes by `sweeping`.

*What keeps what.* A name keeps its target, the documents that the target leads to, and its image; an image keeps its
layers and its own manifest; a layer keeps its blob. A hold keeps any of them while work is under way, a lease keeps
layers and blobs for work that was broken off. Every change forgets the documents that it leaves without a keeper.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from pier.images import sweeping
from pier.images.catalog import Catalog
from pier.images.image import Deleted, Image, ImageRecord, Untagged
from pier.images.index import DOCUMENT, KIND, TAG, Name, describe, key
from pier.images.locks import Locks
from pier.images.removal import Removal
from pier.kernel.faults import point
from pier.spec import digests, image_config, platforms, references
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.manifests import Document
from pier.spec.platforms import Platform
from pier.spec.references import Reference
from pier.store.holds import Holds
from pier.store.layout import Layout
from pier.store.records import Change, Delete, Put, Records


class Images(Catalog):
    """The images of a data root, read and changed. Thread-safe."""

    def __init__(self, records: Records, layout: Layout) -> None:
        super().__init__(records, layout)
        self._records = records
        self.held_documents = Holds()
        self.lock = threading.RLock()
        self.locks = Locks(records)

    def confirm(self, image_id: str) -> None:
        """Return once no removal is under way that may not have seen the caller; NotFound when the image went.

        It waits for the disk: call it in a thread.
        """
        with self.lock:
            self.by_id(image_id)

    def add(
        self,
        raw: bytes,
        *,
        names: Iterable[Reference] = (),
        manifest: Document | None = None,
        target: Document | None = None,
        between: Iterable[Document] = (),
        parent: str = "",
        lease: str = "",
    ) -> tuple[Image, bool]:
        """Record an image whose layers are here (and held), with its names; the image, and whether it is new.

        `manifest` is its own; `target` the document that the names stand for (the manifest, unless an index is given);
        `between` are indexes on the way from one to the other. `lease` ends. An image that is known gains what is
        given: so a push notes its manifest.
        """
        config = image_config.parse(raw)
        for diff_id in config.diff_ids:
            if self.layers.get(diff_id) is None:
                raise NotFound(f"layer {diff_id} does not exist")
        image_id = digests.of(raw)
        documents = [one for one in (target, *between, manifest) if one is not None]
        point("image-layers")
        with self.lock:
            known = self._index.images.get(image_id)
            base = known or ImageRecord(image_id, raw, tagged_at=time.time_ns())
            record = msgspec.structs.replace(
                base,
                manifest=manifest.digest if manifest else base.manifest,
                parent=parent or base.parent,
                hidden=False,
            )
            changes: list[Change] = [Put(KIND, image_id, msgspec.json.encode(record)), *self.leases.end(lease)]
            changes += [Put(DOCUMENT, one.digest, msgspec.json.encode(describe(one))) for one in documents]
            for one in documents:
                self.blobs.put(one.raw)
            changes += self._namings(names, image_id, documents[0].digest if documents else "", changes)
            self.write(changes)
            self.leases.forget([lease])
            return self._view(record, self._index), known is None or known.hidden

    def _namings(
        self, names: Iterable[Reference], image_id: str, target: str, changes: Iterable[Change]
    ) -> list[Change]:
        """Names for an image: of a target's variants a name resolves to the host's, else to the one that came last."""
        trial = self._index.after(changes)
        variants = dict.fromkeys([image_id, *trial.variants(target)])
        chosen = self.best(variants, platforms.host(), trial) or image_id
        name = msgspec.json.encode(Name(chosen, target))
        return [Put(TAG, key(reference), name) for reference in names]

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
            name = Name(image.id, self._target_of(source, image.id))
            new = key(reference.with_default_tag())
            self.write([Put(KIND, image.id, msgspec.json.encode(record)), Put(TAG, new, msgspec.json.encode(name))])

    def _target_of(self, source: str, image_id: str) -> str:
        """What a new name stands for: what the source's name does; of an id, what all of the image's names do."""
        index = self._index
        named = index.named(source)
        if named is not None:
            return named.target
        targets = {index.tags[key(name)].target for name in index.names.get(image_id, ())}
        return targets.pop() if len(targets) == 1 else index.images[image_id].manifest

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

    def remove_variants(
        self,
        name: str,
        wanted: Sequence[Platform],
        *,
        force: bool,
        in_use: Callable[[str], list[str]],
        running: Callable[[str], list[str]] = lambda _: [],
    ) -> list[Untagged | Deleted]:
        """Remove the variants of just these platforms; the name goes with the last of them.

        NotFound when one is not here: what merely runs on a platform is not taken for its variant.
        """
        with self.lock:
            here = self.variants(name)
            for platform in wanted:
                if all(image.platform != platform for image in here):
                    raise NotFound(f"image with reference {name} was found but has no variant for platform {platform}")
            removal = Removal(self, force=force, prune=False, in_use=in_use, running=running)
            report = removal.run_variants(name, [image.id for image in here if image.platform in wanted])
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
        self.write([Put(KIND, image_id, msgspec.json.encode(record)), *self._renamings(image_id)])

    def _renamings(self, image_id: str) -> list[Change]:
        """The names that resolve to an image that goes resolve to another variant, or go with it."""
        index = self._index
        changes: list[Change] = []
        for reference in index.names.get(image_id, ()):
            text = key(reference)
            left = [one for one in index.variants(index.tags[text].target) if one != image_id]
            if left:
                chosen = self.best(left, platforms.host(), index) or left[0]
                name = msgspec.structs.replace(index.tags[text], image=chosen)
                changes.append(Put(TAG, text, msgspec.json.encode(name)))
            else:
                changes.append(Delete(TAG, text))
        return changes

    def forget(self, image_id: str) -> list[str]:
        """Remove an image and the layers that no other wants; the layers' diff ids that went."""
        record = self._index.images[image_id]
        diff_ids = self.config(record).diff_ids
        self.write([Delete(KIND, image_id), *self._renamings(image_id)])
        self._configs.pop(image_id, None)
        return self.layers.collect(self.wanted_layers, diff_ids)

    def collect(self, diff_ids: Iterable[str]) -> None:
        """Remove those of the layers that no image wants and nobody holds, after a pull that failed."""
        with self.lock:
            self.layers.collect(self.wanted_layers, list(diff_ids))
        self.layers.clear()

    def write(self, changes: Iterable[Change]) -> None:
        """Make changes of images and names durable, then visible; documents that nothing leads to any more go."""
        changes = list(changes)
        with self.lock:
            index = self._index.after(changes)
            dropped = index.unwanted(self.held_documents.all())
            if dropped:
                changes += [Delete(DOCUMENT, digest) for digest in dropped]
                index = index.after(changes[-len(dropped) :])
            if changes:
                self._records.write(*changes).result()
            self._index, self._views = index, {}
            for digest in dropped:
                self.blobs.discard(digest)

    def lose(self, image_id: str) -> None:
        """Forget an image whose layers cannot be had any more."""
        self.write([Delete(KIND, image_id), *self._renamings(image_id)])
        self._configs.pop(image_id, None)

    def sweep(self) -> None:
        """At start, before anything else runs: mend layers after a power loss, remove what a crash left or no image
        needs.
        """
        with self.lock:
            sweeping.at_start(self, time.time())

    def reclaim(self) -> int:
        """Take away all that nothing keeps, while others work: leases, parts of downloads, layers and blobs. The bytes.

        It waits for the disk: call it in a thread.
        """
        with self.lock:
            freed = sweeping.reclaim(self)
        self.layers.clear()
        return freed

    def close(self) -> None:
        """End what works in the background, before the records are closed. Calling it twice is harmless."""
        self.layers.close()
