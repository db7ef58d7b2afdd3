"""`docker import`: a tar of a root file system becomes an image of one layer, unpacked while it comes in."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pier.images import instructions
from pier.images.decompress import GZIP, PLAIN, ZSTD, codec_of
from pier.images.feeding import Feed
from pier.images.images import Images
from pier.images.layers import Layer, Workspace
from pier.images.threads import completed
from pier.images.workers import Job, Outcome, Worker
from pier.spec import image_config, platforms, references
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import History, ImageConfig, RootFs, RunConfig
from pier.spec.references import Reference

_KEPT_AS_THEY_ARE = (PLAIN, GZIP, ZSTD)


async def import_(
    source: AsyncIterator[bytes],
    *,
    images: Images,
    repository: str = "",
    tag: str = "",
    message: str = "",
    changes: Sequence[str] = (),
    platform: str = "",
    created: int | None = None,
) -> str:
    """Make an image of the tar that `source` gives, named `repository:tag` unless that is empty; the image's id.

    `created` is the image's time in seconds since 1970: now, unless a build that can be repeated asks for another.
    Names, changes and platform are checked before a byte is read. Raises InvalidParameter for a broken archive;
    nothing is left behind.
    """
    names = [_name(repository, tag)] if repository else []
    run_config = instructions.apply(RunConfig(), changes)
    target = platforms.parse(platform) if platform else platforms.host()
    held: list[str] = []
    try:
        layer = await unpack_stream(source, images, held)
        raw = render(run_config, [layer.diff_id], target, message or "Imported from -", created)
        image, _ = await completed(images.add, raw, names=names)
    finally:
        images.layers.release(held)
        await completed(images.collect, held)
    return image.id


def _name(repository: str, tag: str) -> Reference:
    reference = references.parse_with_tag(repository, tag)
    if reference.digest is not None:
        raise InvalidParameter("cannot import digest reference")
    return reference


def render(
    run_config: RunConfig, diff_ids: list[str], platform: platforms.Platform, message: str, at: int | None = None
) -> bytes:
    """The configuration of an image that was made just now, or `at` a time, of layers without a history."""
    now = datetime.now(UTC) if at is None else datetime.fromtimestamp(at, UTC)
    created = now.isoformat(timespec="microseconds" if at is None else "seconds").replace("+00:00", "Z")
    history = [History(created=created, comment=message)]
    config = ImageConfig(
        architecture=platform.architecture,
        os=platform.os,
        variant=platform.variant,
        config=run_config,
        rootfs=RootFs(diff_ids=diff_ids),
        history=history,
        created=created,
        comment=message,
    )
    return image_config.render(config)


async def unpack_stream(source: AsyncIterator[bytes] | int, images: Images, held: list[str]) -> Layer:
    """Unpack a tar, plain or compressed, into a layer, which is held and noted in `held`; its blob is kept as it came
    when that is plain, gzip or zstd, else plain. `source` may be the descriptor of a whole file that nobody changes any
    more: the worker reads it by itself, and it becomes the blob.
    """
    blob_path = images.layout.tmp / f"blob-new-{os.urandom(12).hex()}"
    in_place = isinstance(source, int) and codec_of(os.pread(source, 6, 0)) in _KEPT_AS_THEY_ARE
    with contextlib.ExitStack() as stack:
        workspace = stack.enter_context(images.layers.workspace())
        blob = _linked(source, blob_path) if in_place and isinstance(source, int) else _made(blob_path)
        stack.callback(_discard, blob_path, blob)
        feed = Feed()
        stack.callback(feed.end)
        job = Job(layer=True, keep=not in_place, blob=True)
        stream = source if isinstance(source, int) else feed.reader
        worker = Worker.start(job, stream=stream, directory=workspace.directory, blob=blob)
        feed.started()
        outcome = await _run(worker, feed, source)
        adoption = _Adoption(images, workspace, outcome, held)
        return await completed(adoption.run, blob_path, blob)


def _made(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def _linked(fd: int, path: Path) -> int:
    """Give a file that is open a name of ours, and take it from whoever the archive gave it to."""
    # Without a directory's descriptor Python calls link(2), which takes the link under /proc for the file.
    os.link(f"/proc/self/fd/{fd}", path, src_dir_fd=fd, follow_symlinks=True)
    linked = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    os.fchown(linked, os.geteuid(), os.getegid())
    os.fchmod(linked, 0o600)
    return linked


async def _run(worker: Worker, feed: Feed, source: AsyncIterator[bytes] | int) -> Outcome:
    waiting = asyncio.create_task(worker.outcome())
    try:
        if not isinstance(source, int):
            await feed.send(source)
        feed.end()
        return await waiting
    except BaseException:
        worker.stop()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            await waiting
        raise


@dataclass(frozen=True, slots=True)
class _Adoption:
    """What a worker made becomes a blob and a layer."""

    images: Images
    workspace: Workspace
    outcome: Outcome
    held: list[str]

    def run(self, path: Path, blob: int) -> Layer:
        """Runs in a thread; what it holds it notes."""
        outcome, layers = self.outcome, self.images.layers
        layer = layers.hold(outcome.diff_id)
        if layer is None:
            with self.images.blobs.held.on(outcome.blob):
                self.images.blobs.adopt(path, blob, outcome.blob)
                codec = outcome.codec if outcome.codec in _KEPT_AS_THEY_ARE else PLAIN
                made = Layer(outcome.diff_id, outcome.blob, outcome.blob_size, codec, outcome.size)
                layer = layers.adopt(self.workspace, made)
        self.held.append(layer.diff_id)
        return layer


def _discard(path: Path, fd: int) -> None:
    os.close(fd)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
