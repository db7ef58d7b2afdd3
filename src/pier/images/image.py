"""What an image is: as it is kept in the records, as a caller sees it, and what its removal reports."""

from dataclasses import dataclass, field

import msgspec

from pier.spec import platforms
from pier.spec.image_config import ImageConfig
from pier.spec.platforms import Platform


class ImageRecord(msgspec.Struct, frozen=True):
    """An image as it is kept. `hidden`: removed by force while a container uses it; only `by_id` still finds it."""

    id: str
    raw: bytes
    manifest: str = ""  # the digest of its own manifest; empty for an image that was made here
    parent: str = ""
    tagged_at: int = 0  # nanoseconds since 1970
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """One image as a caller sees it.

    `tags` and `digests` are familiar names (`ubuntu:22.04`, `ubuntu@sha256:…`) that resolve to it, `variant_of` those
    whose index lists it while they resolve to another platform; `size` in bytes.
    """

    id: str
    config: ImageConfig
    raw: bytes
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    created: str
    parent: str = ""
    manifest: str = ""
    tagged_at: int = 0
    variant_of: tuple[str, ...] = ()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers, lowest first."""
        return self.config.diff_ids

    @property
    def platform(self) -> Platform:
        """What it runs on, aliases resolved."""
        return platform_of(self.config)


def platform_of(config: ImageConfig) -> Platform:
    """The platform that a configuration names; Linux on the host's architecture where it says nothing."""
    here = platforms.host()
    architecture = config.architecture or here.architecture
    return platforms.normalise(config.os or here.os, architecture, config.variant)


@dataclass(frozen=True, slots=True)
class Untagged:
    """A name that was removed."""

    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """An image id or a layer's chain id that was removed. `image` is the image as it was; `size`: a layer's bytes."""

    id: str
    image: Image | None = field(default=None, compare=False)
    size: int = field(default=0, compare=False)
