"""From a name at a registry to one image: through an index, and indexes inside it, to the manifest of a platform and
its configuration. What an index promises of an entry (digest, size) must be what comes.
"""

from dataclasses import dataclass

from pier.registry.client import Repository
from pier.spec import image_config, manifests, platforms
from pier.spec.errors import InvalidParameter, NotFound
from pier.spec.manifests import Descriptor, Document, Index, Manifest
from pier.spec.platforms import Platform
from pier.spec.references import Reference

_MAX_DEPTH = 4
_MAX_DOCUMENTS = 32


@dataclass(frozen=True, slots=True)
class Found:
    """A name resolved to one image: the document that the name stands for, the indexes below it on the way, the image's
    own manifest, its configuration.
    """

    top: Document
    between: tuple[Document, ...]
    document: Document
    manifest: Manifest
    config: bytes


class Resolver:
    """Finds a platform's image below a document."""

    def __init__(self, repository: Repository, name: Reference, platform: Platform) -> None:
        self._repository = repository
        self._name = name
        self._platform = platform
        self._seen: set[str] = set()

    async def find(self, top: Document) -> Found:
        """The image. Raises NotFound where no entry serves the platform, InvalidParameter for what is no image."""
        manifest = manifests.parse(top.raw, top.media_type)
        path: tuple[Document, ...] = (top,)
        if isinstance(manifest, Index):
            found = await self._below(manifest, path)
            if found is None:
                raise manifests.no_match(self._platform)
            path, manifest = found
        descriptor = manifest.config
        raw = await self._repository.document(descriptor.digest, descriptor.size, image_config.MAX_BYTES)
        self._check(manifest, raw)
        return Found(top, path[1:-1], path[-1], manifest, raw)

    async def _below(self, index: Index, path: tuple[Document, ...]) -> tuple[tuple[Document, ...], Manifest] | None:
        """The way to a manifest: an entry of this index before one of an index inside it."""
        entry = manifests.best(index, self._platform)
        if entry is not None:
            document = await self._fetch(entry)
            manifest = manifests.parse(document.raw, document.media_type)
            if isinstance(manifest, Index):
                raise InvalidParameter(f"invalid manifest: {entry.digest} is an index and listed as an image")
            return (*path, document), manifest
        for inner in manifests.nested(index, self._platform):
            if len(path) >= _MAX_DEPTH:
                raise InvalidParameter(f"invalid manifest: indexes are nested more than {_MAX_DEPTH} deep")
            if inner.digest in self._seen:
                continue
            document = await self._fetch(inner)
            content = manifests.parse(document.raw, document.media_type)
            if isinstance(content, Manifest):
                raise InvalidParameter(f"invalid manifest: {inner.digest} is an image and listed as an index")
            found = await self._below(content, (*path, document))
            if found is not None:
                return found
        return None

    async def _fetch(self, entry: Descriptor) -> Document:
        self._seen.add(entry.digest)
        if len(self._seen) > _MAX_DOCUMENTS:
            raise InvalidParameter(f"invalid manifest: more than {_MAX_DOCUMENTS} documents below one name")
        document = await self._repository.manifest(entry.digest)
        if document.size != entry.size:
            raise InvalidParameter(
                f"manifest verification failed for digest {entry.digest}: {document.size} bytes instead of {entry.size}"
            )
        return document

    def _check(self, manifest: Manifest, raw: bytes) -> None:
        config = image_config.parse(raw)
        if len(config.diff_ids) != len(manifest.layers):
            raise InvalidParameter("invalid rootfs in image configuration")
        if not config.diff_ids:
            raise InvalidParameter("invalid rootfs in image configuration: no layers")
        there = platforms.normalise(config.os or "linux", config.architecture, config.variant)
        if config.os not in ("", "linux"):
            raise InvalidParameter(f'image operating system "{config.os[:40]}" cannot be used on this platform')
        if config.architecture and self._platform.rank(there) is None:
            raise NotFound(
                f"image with reference {self._name.familiar} was found but its platform ({there}) "
                f"does not match the specified platform ({self._platform})"
            )
