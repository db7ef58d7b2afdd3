"""The images of the bench, made once under a cache directory: a Debian, many small files, ten layers of 50 MB; each as
a registry's storage, as an archive to load, and (one layer only) as a root file system to import.
"""

import gzip
import hashlib
import io
import json
import random
import shutil
import tarfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.debian import make_debian
from tests.support.images import CACHE
from tests.support.registry import Registry

ROOT = CACHE / "bench-images"
STORAGE = ROOT / "registry"
_MEDIA = "application/vnd.docker."
_PACKAGES = ("perl", "openssl", "git", "gnupg")
_FILES, _DIRECTORIES = 50_000, 500
_LAYERS, _LAYER_SIZE = 10, 50 << 20
_HALF = 2 << 10


@dataclass(frozen=True)
class Source:
    """One image: the name of its repository, and where its layers' tars lie."""

    name: str
    title: str

    @property
    def directory(self) -> Path:
        """Where its files lie."""
        return ROOT / self.name

    @property
    def archive(self) -> Path:
        """What `docker save` would write."""
        return self.directory / "image.tar"

    @property
    def tree(self) -> Path:
        """Its only layer, as a root file system."""
        return self.directory / "0.tar"


DEBIAN = Source("debian", "Debian")
FILES = Source("files", "50,000 small files")
LAYERS = Source("layers", "ten layers of 50 MB")
SOURCES = (DEBIAN, FILES, LAYERS)


def prepare() -> None:
    """Make what is not there yet; it takes a minute the first time."""
    if (ROOT / "complete").exists():
        return
    shutil.rmtree(ROOT, ignore_errors=True)
    STORAGE.mkdir(parents=True)
    for source in SOURCES:
        source.directory.mkdir()
    make_debian(DEBIAN.tree, *_PACKAGES)
    _make_files(FILES.tree)
    for number in range(_LAYERS):
        _make_large(LAYERS.directory / f"{number}.tar", number)
    registry = Registry(storage=STORAGE)
    try:
        for source in SOURCES:
            _publish(source, registry.address)
    finally:
        registry.close()
    (ROOT / "complete").touch()


def _make_files(target: Path) -> None:
    words = random.Random(1)
    with tarfile.open(target, "w") as archive:
        for directory in range(_DIRECTORIES):
            entry = tarfile.TarInfo(f"data/{directory}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
            for number in range(_FILES // _DIRECTORIES):
                content = words.randbytes(words.randrange(50, 1500)).hex().encode()
                entry = tarfile.TarInfo(f"data/{directory}/{number}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))


def _make_large(target: Path, number: int) -> None:
    """One file of which half can be compressed."""
    chance = random.Random(number)
    text = (b"half of this can be compressed, " * _HALF)[:_HALF]
    content = b"".join(chance.randbytes(_HALF) + text for _ in range(_LAYER_SIZE // (2 * _HALF)))
    with tarfile.open(target, "w") as archive:
        entry = tarfile.TarInfo(f"large-{number}")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))


def _publish(source: Source, address: str) -> None:
    """Put the image into the registry, and write its archive."""
    tars = sorted(source.directory.glob("[0-9].tar"))
    diff_ids = [_digest(path.read_bytes()) for path in tars]
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["sh"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
        }
    ).encode()
    base = f"http://{address}/v2/{source.name}"
    layers = [_upload(base, content, "image.rootfs.diff.tar.gzip") for content in _compressed(tars)]
    document = {
        "schemaVersion": 2,
        "mediaType": _MEDIA + "distribution.manifest.v2+json",
        "config": _upload(base, config, "container.image.v1+json"),
        "layers": layers,
    }
    _put(f"{base}/manifests/latest", json.dumps(document).encode(), _MEDIA + "distribution.manifest.v2+json")
    described = [{"Config": "config.json", "RepoTags": [f"{source.name}:latest"], "Layers": [p.name for p in tars]}]
    with tarfile.open(source.archive, "w") as archive:
        for name, content in (("config.json", config), ("manifest.json", json.dumps(described).encode())):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for path in tars:
            archive.add(path, path.name)


def _compressed(tars: list[Path]) -> Iterator[bytes]:
    return (gzip.compress(path.read_bytes(), 6, mtime=0) for path in tars)


def _upload(base: str, content: bytes, media_type: str) -> dict[str, object]:
    """Upload one blob; its descriptor."""
    with urllib.request.urlopen(urllib.request.Request(f"{base}/blobs/uploads/", method="POST")) as answer:
        place = answer.headers["Location"]
    digest = _digest(content)
    _put(f"{place}{'&' if '?' in place else '?'}digest={digest}", content, "application/octet-stream")
    return {"mediaType": _MEDIA + media_type, "size": len(content), "digest": digest}


def _put(url: str, content: bytes, media_type: str) -> None:
    request = urllib.request.Request(url, content, {"Content-Type": media_type}, method="PUT")
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201, url


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
