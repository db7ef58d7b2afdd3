"""What an image is: as it is kept in the records, as a caller sees it, and what its removal reports."""

from dataclasses import dataclass

import msgspec

from pier.spec.image_config import ImageConfig


class ImageRecord(msgspec.Struct, frozen=True):
    """An image as it is kept. `hidden`: removed by force while a container uses it; only `by_id` still finds it."""

    id: str
    raw: bytes
    manifest: str = ""  # the digest of the manifest it was pulled by
    parent: str = ""
    tagged_at: int = 0  # nanoseconds since 1970
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Image:
    """One image as a caller sees it.

    `tags` and `digests` are familiar names (`ubuntu:22.04`, `ubuntu@sha256:…`); `size` in bytes.
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

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers, lowest first."""
        return self.config.diff_ids


@dataclass(frozen=True, slots=True)
class Untagged:
    """A name that was removed."""

    name: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """An image id or a layer's chain id that was removed."""

    id: str
