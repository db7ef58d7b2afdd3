"""`docker commit`: a container's upper directory becomes one more layer, and the container's settings the new
image's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pier.images import archive, instructions
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import unpack_stream
from pier.images.threads import completed
from pier.spec import digests, image_config, platforms, references
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import History, ImageConfig, RootFs, RunConfig
from pier.spec.references import Reference

_EMPTY = digests.of(bytes(1024))  # an archive of nothing


@dataclass(frozen=True, slots=True)
class Commit:
    """What a commit makes: the new image's settings before `changes`, its name (none: dangling) and its notes."""

    config: RunConfig
    repository: str = ""
    tag: str = ""
    author: str = ""
    comment: str = ""
    created_by: str = ""
    changes: Sequence[str] = ()


async def commit(upper: int, parent: Image | None, wish: Commit, *, images: Images) -> Image:
    """Make an image of the upper directory (a descriptor) over `parent`.

    Name and changes are checked before anything is read.
    """
    names = [_name(wish)] if wish.repository else []
    run_config = instructions.apply(wish.config, wish.changes)
    held = list(parent.diff_ids) if parent else []
    for diff_id in held:
        images.layers.hold(diff_id)
    try:
        layer = await unpack_stream(archive.pack(upper, layer=True), images, held)
        raw = _render(parent, wish, run_config, layer.diff_id)
        image, _ = await completed(images.add, raw, names=names, parent=parent.id if parent else "")
        return image
    finally:
        images.layers.release(held)
        await completed(images.collect, held)


def _name(wish: Commit) -> Reference:
    reference = references.parse_with_tag(wish.repository, wish.tag)
    if reference.digest is not None:
        raise InvalidParameter("cannot commit to a digest reference")
    return reference


def _render(parent: Image | None, wish: Commit, run_config: RunConfig, diff_id: str) -> bytes:
    created = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    empty = diff_id == _EMPTY
    step = History(created, wish.created_by, wish.author, wish.comment, empty)
    here = platforms.host()
    base = parent.config if parent else ImageConfig(architecture=here.architecture, os=here.os, variant=here.variant)
    config = msgspec.structs.replace(
        base,
        config=run_config,
        created=created,
        author=wish.author,
        comment=wish.comment,
        history=[*(base.history or []), step],
        rootfs=RootFs(diff_ids=[*base.diff_ids, *([] if empty else [diff_id])]),
    )
    return image_config.render(config)
