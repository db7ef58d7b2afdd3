"""`pier image squash`: an image again with one layer in the place of all, or of all above the layers of a base.

The trees are packed as overlay would show them and go the way of an import. Above a base, whiteouts stay and
directories that hide the base's are opaque. The result depends on the image and the base alone, its time included.
"""

from collections.abc import AsyncIterator, Iterable

import msgspec

from pier.images import archive
from pier.images.holding import holding
from pier.images.image import Image
from pier.images.images import Images
from pier.images.importing import unpack_stream
from pier.images.threads import completed
from pier.spec import digests, image_config
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import History, ImageConfig, RootFs
from pier.spec.references import Reference


async def squash(image: Image, base: Image | None, *, images: Images, names: Iterable[Reference] = ()) -> Image:
    """Make the squashed image, and name it. InvalidParameter when `base` is none of the image's or all of it."""
    below = _below(image, base)
    held: list[str] = []
    try:
        async with holding(images, image.id):
            layer = await unpack_stream(packed(images, image.diff_ids[below:], whole=below == 0), images, held)
            raw = image_config.render(squashed(image, base, layer.diff_id))
            made, _ = await completed(lambda: images.add(raw, names=names))
        return made
    finally:
        images.layers.release(held)
        await completed(images.collect, held)


def _below(image: Image, base: Image | None) -> int:
    """How many layers stay as they are."""
    kept = base.diff_ids if base else ()
    if image.diff_ids[: len(kept)] != kept:
        raise InvalidParameter(
            f"{_short(base.id if base else '')} is not a base of {_short(image.id)}: its layers are not the lowest ones"
        )
    if len(image.diff_ids) == len(kept):
        raise InvalidParameter(f"there is nothing to squash: {_short(image.id)} has no layers of its own")
    return len(kept)


def _short(image_id: str) -> str:
    return image_id.removeprefix(digests.SHA256)[:12]


def packed(images: Images, diff_ids: Iterable[str], *, whole: bool) -> AsyncIterator[bytes]:
    """The tar of several layers as one: a whole tree, or what lies over others."""
    return archive.pack_layers(images.layout.layers, layer_names(diff_ids), whiteouts=not whole)


def layer_names(diff_ids: Iterable[str]) -> list[str]:
    """Where layers lie below the store's directory of layers."""
    return [f"{digests.hexadecimal(diff_id)}/diff" for diff_id in diff_ids]


def squashed(image: Image, base: Image | None, diff_id: str) -> ImageConfig:
    """The configuration: the base's steps as they were, the others without a layer, and one for the squash."""
    kept = len(base.diff_ids) if base else 0
    steps: list[History] = []
    for step in image.config.history or ():
        if not step.empty_layer:
            kept -= 1
        steps.append(step if kept >= 0 else msgspec.structs.replace(step, empty_layer=True))
    note = f"merge {image.id} to {base.id if base else 'scratch'}"
    steps.append(History(created=image.config.created, created_by="pier image squash", comment=note))
    lowest = base.diff_ids if base else ()
    return msgspec.structs.replace(image.config, history=steps, rootfs=RootFs(diff_ids=[*lowest, diff_id]))
