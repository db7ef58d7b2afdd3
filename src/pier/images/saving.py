"""`docker save`: images as one archive that is both Docker's (`manifest.json`) and an OCI layout (`index.json`),
layers compressed as they came.
"""

import json
import os
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

from pier.images import tar_headers
from pier.images.holding import holding
from pier.images.image import Image
from pier.images.images import Images
from pier.images.layers import Layer
from pier.images.tar_headers import BLOCK, Header
from pier.images.tar_writer import encode
from pier.images.threads import completed
from pier.spec import digests, manifests, references
from pier.spec.manifests import Descriptor, Document
from pier.spec.platforms import Platform

LEFT_OUT = "pier.json"  # names the layers that an archive of a difference has not
_CHUNK = 1 << 20
_MEDIA_TYPES = {"": manifests.OCI_LAYER, "gzip": manifests.OCI_LAYER + "+gzip", "zstd": manifests.OCI_LAYER + "+zstd"}


@dataclass(frozen=True, slots=True)
class _Member:
    """One file of the archive: its content, or the digest of the blob that it is."""

    name: str
    size: int
    content: bytes | None = None
    digest: str = ""


async def save(
    names: Iterable[str],
    *,
    images: Images,
    without: frozenset[str] = frozenset(),
    platform: Platform | None = None,
) -> AsyncIterator[bytes]:
    """The archive of the named images, of the variant for `platform`. NotFound, before anything is given, when one is
    not there.

    The layers `without` (diff ids) are named but not in it: for a store that has them.
    """
    names = list(names)
    async with holding(images, *names):
        chosen = [(name, images.find(name, platform)) for name in names]
        for member in _plan(chosen, images, without):
            yield encode(_header(member))
            if member.content is not None:
                yield member.content
            else:
                async for piece in _blob(images, member.digest):
                    yield piece
            yield bytes(-member.size % BLOCK)
        yield bytes(2 * BLOCK)


async def _blob(images: Images, digest: str) -> AsyncIterator[bytes]:
    with images.blobs.open(digest) as fd:
        while piece := await completed(os.read, fd, _CHUNK):
            yield piece


def _header(member: _Member) -> Header:
    header = Header()
    header.name, header.kind, header.mode, header.size = member.name.encode(), tar_headers.FILE, 0o644, member.size
    return header


def _plan(chosen: list[tuple[str, Image]], images: Images, without: frozenset[str]) -> list[_Member]:
    members: dict[str, _Member] = {}
    index: list[dict[str, object]] = []
    legacy: dict[str, dict[str, object]] = {}
    left_out: list[str] = []
    for name, image in chosen:
        layers = [images.layer_of(diff_id) for diff_id in image.diff_ids]
        manifest = _manifest(image, layers, images)
        for digest, raw in ((image.id, image.raw), (manifest.digest, manifest.raw)):
            _keep(members, digest, len(raw), raw)
        for layer in layers:
            if layer.diff_id in without:
                left_out.append(layer.diff_id)
                continue
            _keep(members, layer.blob, layer.blob_size, None)
        entry = legacy.setdefault(
            image.id,
            {"Config": _path(image.id), "RepoTags": [], "Layers": [_path(layer.blob) for layer in layers]},
        )
        tags = entry["RepoTags"]
        tag = _tag(name, image)
        if isinstance(tags, list) and tag and tag not in tags:
            tags.append(tag)
        index.append(_index_entry(manifest, tag))
    documents: list[tuple[str, object]] = [
        ("index.json", {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": index}),
        ("manifest.json", [{**entry, "RepoTags": entry["RepoTags"] or None} for entry in legacy.values()]),
        ("oci-layout", {"imageLayoutVersion": "1.0.0"}),
    ]
    if left_out:
        documents.append((LEFT_OUT, {"without": sorted(set(left_out))}))
    for name, value in documents:
        raw = json.dumps(value, separators=(",", ":")).encode()
        members[name] = _Member(name, len(raw), raw)
    return list(members.values())


def _keep(members: dict[str, _Member], digest: str, size: int, content: bytes | None) -> None:
    members[digest] = _Member(_path(digest), size, content, digest)


def _path(digest: str) -> str:
    return f"blobs/sha256/{digests.hexadecimal(digest)}"


def _tag(name: str, image: Image) -> str:
    """The tag by which an image was asked for; none when it was by its id."""
    if image.id.startswith(name) or image.id.removeprefix(digests.SHA256).startswith(name):
        return ""
    reference = references.parse(name).with_default_tag()
    return reference.familiar if reference.digest is None else ""


def _manifest(image: Image, layers: list[Layer], images: Images) -> Document:
    """The manifest that the image came with, bit for bit, as long as its layers are the blobs that are here."""
    if images.has_document(image.manifest):
        kept = images.document(image.manifest)
        parsed = manifests.parse(kept.raw, kept.media_type)
        if isinstance(parsed, manifests.Manifest) and [one.digest for one in parsed.layers] == [
            one.blob for one in layers
        ]:
            return kept
    config = Descriptor(manifests.OCI_CONFIG, image.id, len(image.raw))
    raw = manifests.render(
        config,
        [Descriptor(_MEDIA_TYPES.get(one.codec, manifests.OCI_LAYER), one.blob, one.blob_size) for one in layers],
        docker=False,
    )
    return Document(raw, manifests.OCI_MANIFEST, digests.of(raw))


def _index_entry(manifest: Document, tag: str) -> dict[str, object]:
    entry: dict[str, object] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": len(manifest.raw),
    }
    if tag:
        reference = references.parse(tag)
        entry["annotations"] = {
            "io.containerd.image.name": str(reference),
            "org.opencontainers.image.ref.name": reference.tag or "",
        }
    return entry
