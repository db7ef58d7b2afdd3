"""`docker commit`: a container's writable layer becomes a layer, its configuration an image's."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from pier.engine.container import Container
from pier.engine.parts import Parts
from pier.engine.roots import Roots
from pier.engine.stopping import Stopping
from pier.images import archive, instructions
from pier.images.importing import unpack_stream
from pier.spec import image_config, platforms, references
from pier.spec.containers import ContainerConfig
from pier.spec.errors import InvalidParameter
from pier.spec.image_config import History, ImageConfig, RootFs, RunConfig

_IN_IMAGES = frozenset(field.encode_name for field in msgspec.structs.fields(RunConfig))


@dataclass(frozen=True)
class Wishes:
    """What a commit asks for; `config` is laid over the container's, `changes` are Dockerfile instructions."""

    repository: str = ""
    tag: str = ""
    comment: str = ""
    author: str = ""
    pause: bool = True
    changes: Sequence[str] = ()
    config: ContainerConfig | None = None


class Committing:
    """Makes images of containers."""

    def __init__(self, parts: Parts, roots: Roots, stopping: Stopping) -> None:
        self._parts = parts
        self._roots = roots
        self._stopping = stopping

    async def commit(self, container: Container, wishes: Wishes) -> str:
        """The id of the new image. The container is paused meanwhile, unless that is not wanted."""
        names = [_name(wishes)] if wishes.repository else []
        run_config = instructions.apply(run_config_of(container.record.config, wishes.config), wishes.changes)
        pauses = wishes.pause and container.state.status == "running"
        if pauses:
            await self._stopping.pause(container)
        try:
            image_id = await self._make(container, wishes, run_config, names)
        finally:
            if pauses and container.state.status == "paused":
                await self._stopping.unpause(container)
        reference = {"imageRef": names[0].familiar} if names else {}
        self._parts.news.container(container, "commit", comment=wishes.comment, imageID=image_id, **reference)
        return image_id

    async def _make(
        self, container: Container, wishes: Wishes, run_config: RunConfig, names: list[references.Reference]
    ) -> str:
        images = self._parts.images
        held: list[str] = []
        try:
            async with self._roots.open(container):
                for diff_id in container.record.layers:
                    if images.layers.hold(diff_id) is not None:
                        held.append(diff_id)
                upper = os.open(self._parts.layout.container(container.id) / "upper", os.O_RDONLY | os.O_DIRECTORY)
                try:
                    layer = await unpack_stream(archive.pack(upper, layer=True), images, held)
                finally:
                    os.close(upper)
            parent = await self._parts.offload.run(_parent, self._parts, container.record.image_id)
            step = _step(container.record.config, wishes, datetime.now(UTC))
            raw = render(parent, (*container.record.layers, layer.diff_id), run_config, step)
            image, _ = await self._parts.offload.run(
                lambda: images.add(raw, names=names, parent=container.record.image_id)
            )
        finally:
            images.layers.release(held)
        return image.id


def _name(wishes: Wishes) -> references.Reference:
    reference = references.parse_with_tag(wishes.repository, wishes.tag)
    if reference.digest is not None:
        raise InvalidParameter("refusing to create a tag with a digest reference")
    return reference


def _parent(parts: Parts, image_id: str) -> ImageConfig:
    return parts.images.by_id(image_id).config


def run_config_of(own: ContainerConfig, over: ContainerConfig | None) -> RunConfig:
    """The part of a container's configuration that an image keeps, with what a client lays over it."""
    values = {key: value for key, value in msgspec.to_builtins(own).items() if key in _IN_IMAGES}
    if over is not None:
        asked = msgspec.to_builtins(over)
        values |= {key: value for key, value in asked.items() if key in _IN_IMAGES and value}
    if values.get("Hostname"):
        values["Hostname"] = ""
    return msgspec.convert(values, RunConfig)


def _step(config: ContainerConfig, wishes: Wishes, now: datetime) -> History:
    """The line of the image's history: what made it is the container's command, as in Docker."""
    created = now.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return History(created=created, created_by=" ".join(config.Cmd or ()), author=wishes.author, comment=wishes.comment)


def render(parent: ImageConfig, diff_ids: Sequence[str], run_config: RunConfig, step: History) -> bytes:
    """The configuration of the image."""
    host = platforms.host()
    return image_config.render(
        ImageConfig(
            architecture=parent.architecture or host.architecture,
            os=parent.os or host.os,
            variant=parent.variant,
            config=run_config,
            rootfs=RootFs(diff_ids=list(diff_ids)),
            history=[*(parent.history or ()), step],
            created=step.created,
            author=step.author,
            comment=step.comment,
        )
    )
