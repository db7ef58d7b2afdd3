"""OCI image layouts written to a directory: one image of one layer for this machine, in an index of two platforms."""

import gzip
import hashlib
import json
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

Descriptor = dict[str, object]


class Layout:
    """A layout under `root`; `digest` is its index's, by which a registry will know it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        (root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.digest = ""

    def write(self, layer: bytes, architectures: tuple[str, ...], command: list[str]) -> None:
        """Write an image for each architecture (the layer is the same), with `command` as its default."""
        manifests = [self._image(layer, architecture, command) for architecture in architectures]
        index = self._blob(_text({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}), INDEX)
        self.digest = str(index["digest"])
        (self.root / "index.json").write_bytes(_text({"schemaVersion": 2, "manifests": [index]}))

    def _image(self, layer: bytes, architecture: str, command: list[str]) -> Descriptor:
        config = {
            "architecture": architecture,
            "os": "linux",
            "created": "2026-01-02T03:04:05Z",
            "config": {"Cmd": command, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
            "history": [{"created": "2026-01-02T03:04:05Z", "created_by": "a test"}],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._blob(_text(config), CONFIG),
            "layers": [self._blob(gzip.compress(layer, 1, mtime=0), LAYER)],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return {**self._blob(_text(manifest), MANIFEST), "platform": platform}

    def _blob(self, content: bytes, media_type: str) -> Descriptor:
        digest = _digest(content)
        (self.root / "blobs" / "sha256" / digest.partition(":")[2]).write_bytes(content)
        return {"mediaType": media_type, "digest": digest, "size": len(content)}


def _text(document: object) -> bytes:
    return json.dumps(document).encode()


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
