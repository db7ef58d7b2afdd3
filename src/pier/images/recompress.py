"""A layer whose blob no manifest can name (kept plain, as bzip2 or xz) becomes gzip, once: the new blob takes the
place of the old one.
"""

import os
from hashlib import sha256

from pier.images.decompress import Peeked, Source, decompress
from pier.images.images import Images
from pier.images.layers import Layer
from pier.images.streams import write_all
from pier.spec import digests
from pier.spec.errors import InvalidParameter

_CHUNK = 1 << 20
_LEVEL = 1


class _File(Source):
    """A blob that is read from its beginning."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def read(self, size: int) -> bytes:
        """Up to `size` bytes."""
        return os.read(self._fd, size)


def recompress(images: Images, layer: Layer) -> Layer:
    """In a thread: the layer with a gzip blob. InvalidParameter when its blob is not what it was unpacked from."""
    path = images.layout.tmp / f"gzip-{os.urandom(12).hex()}"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with images.blobs.open(layer.blob) as source:
            diff_id, blob = _copy(source, fd)
        if diff_id != layer.diff_id:
            raise InvalidParameter(f"layer {layer.diff_id} has a broken blob: its content is {diff_id}")
        size = os.fstat(fd).st_size
        return images.layers.recode(layer.diff_id, lambda: images.blobs.adopt(path, fd, blob), blob, size)
    finally:
        os.close(fd)
        path.unlink(missing_ok=True)


def _copy(source: int, target: int) -> tuple[str, str]:
    """Compress what `source` holds into `target`; the digests of the plain and of the compressed stream."""
    from isal import isal_zlib

    plain, compressed = sha256(), sha256()
    reader = decompress(Peeked(_File(source)))
    writer = isal_zlib.compressobj(_LEVEL, wbits=31)
    while piece := reader.read(_CHUNK):
        plain.update(piece)
        _write(target, writer.compress(piece), compressed)
    _write(target, writer.flush(), compressed)
    return digests.SHA256 + plain.hexdigest(), digests.SHA256 + compressed.hexdigest()


def _write(fd: int, content: bytes, digest: "_Hash") -> None:
    digest.update(content)
    write_all(fd, content)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash
