"""What a worker does: read the stream, decompress, hash and unpack at once.

Codecs and hashes release the interpreter, so that threads help.
"""

import errno
import json
import os

from pier.images.comparing import Comparison
from pier.images.decompress import GZIP, PLAIN, ZSTD, Peeked, Source, codec_of, decompress
from pier.images.layered import opened
from pier.images.packing import Packer
from pier.images.streams import Buffer, GrowingFile, Hasher, Pipe, Tapped
from pier.images.tar_reader import TarReader
from pier.images.unpack import Limits, Unpacker
from pier.spec.errors import InvalidParameter, NoSpace, PierError, SystemFailure

Job = dict[str, object]
Result = dict[str, object]


def run(job: Job, *, stream: int, directory: int, notes: int, blob: int) -> Result:
    """Unpack as `job` says: `layer` and `growing`, `keep`, `limit` (bytes), `owner`, `keep_directories`.

    The result, or the error's kind and message.
    """
    try:
        if job.get("pack"):
            return _pack(job, stream=stream, directory=directory)
        if job.get("layers") or job.get("against") is not None:
            return _layers(job, stream=stream, directory=directory)
        return _run(job, stream=stream, directory=directory, notes=notes, blob=blob)
    except PierError as error:
        return {"error": type(error).__name__, "message": _printable(error.message)}
    except OSError as error:
        kind = _kind(error)
        return {"error": kind, "message": _printable(f"{_path(error)}{os.strerror(error.errno or 0).lower()}")}


def _printable(message: str) -> str:
    """A message that JSON can carry, whatever bytes are in the name that it tells."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")


def _kind(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace.__name__
    if error.errno in (
        errno.ENOTDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EISDIR,
        errno.ENOENT,
        errno.EXDEV,
        errno.EEXIST,
    ):
        return InvalidParameter.__name__  # the archive asks for what a file system cannot be
    return SystemFailure.__name__


def _path(error: OSError) -> str:
    name = error.filename
    return f"{os.fsdecode(name)[:200]}: " if isinstance(name, str | bytes) else ""


def _run(job: Job, *, stream: int, directory: int, notes: int, blob: int) -> Result:
    source: Source = GrowingFile(stream, notes) if job.get("growing") else Pipe(stream)
    peeked = Peeked(source)
    codec = codec_of(peeked.peek(6))
    as_it_came = codec in (GZIP, ZSTD)  # the others no manifest can name: their content is kept, plain
    fd = blob if job.get("keep") else None
    kept = Hasher(fd) if as_it_came and job.get("blob") else None
    if kept:
        peeked = Peeked(Tapped(peeked, kept.feed))
    diff = Hasher(None if as_it_came else fd)
    try:
        unpacker = _unpacker(job, directory)
        reader = TarReader(Tapped(decompress(peeked), diff.feed))
        unpacker.run(reader)
        reader.drain()
        _rest(peeked, codec)
    finally:
        diff_id = diff.finish()
        blob_digest = kept.finish() if kept else diff_id
    return {
        "diff_id": diff_id,
        "size": unpacker.size,
        "entries": unpacker.entries,
        "codec": codec,
        "blob": blob_digest,
        "blob_size": (kept or diff).size,
    }


def _pack(job: Job, *, stream: int, directory: int) -> Result:
    """The other way: the directory becomes an archive on the stream."""
    buffer = Buffer(stream)
    select, rename = (_bytes(job.get(key)) for key in ("select", "rename"))
    packer = Packer(
        buffer.write, layer=bool(job.get("layer")), select=select, rename=rename, root_entry=bool(job.get("root_entry"))
    )
    packer.run(directory)
    buffer.flush()
    return {"size": buffer.written}


def _layers(job: Job, *, stream: int, directory: int) -> Result:
    """Several layers as one archive, or what they have and others have not, one JSON document a line."""
    buffer = Buffer(stream)
    names, against = _names(job.get("layers")), job.get("against")
    with opened(directory, names) as new:
        if against is None:
            Packer(buffer.write, precise=True).run_layers(new, whiteouts=bool(job.get("whiteouts")))
        else:
            with opened(directory, _names(against)) as old:
                for difference in Comparison(old, new, (_names(against), names)).run():
                    buffer.write(json.dumps(difference).encode("ascii") + b"\n")
    buffer.flush()
    return {"size": buffer.written}


def _names(value: object) -> list[str]:
    return [str(name) for name in value] if isinstance(value, list) else []


def _bytes(value: object) -> bytes | None:
    return os.fsencode(value) if isinstance(value, str) else None


def _unpacker(job: Job, directory: int) -> Unpacker:
    limit = job.get("limit")
    limits = Limits(limit) if isinstance(limit, int) else None
    unpacker = Unpacker(
        directory, layer=bool(job.get("layer")), limits=limits, keep_directories=bool(job.get("keep_directories"))
    )
    owner = job.get("owner")
    if isinstance(owner, list):
        unpacker.owner = (owner[0], owner[1])
    return unpacker


def _rest(peeked: Peeked, codec: str) -> None:
    """What follows the compressed stream still belongs to the blob."""
    if codec != PLAIN:
        while peeked.read(1 << 20):
            pass
