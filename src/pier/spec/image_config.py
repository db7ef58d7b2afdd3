"""The configuration of an image (OCI image-spec config.md, Docker's image JSON): typed, bounded, and blind to keys
that an image must not set.

An image says what its program needs; it never says what the host grants: keys such as `HostConfig` or `Privileged`
are not read (CVE-2014-6408), and labels under our own prefix are dropped (CVE-2026-53488).
"""

from typing import Annotated

import msgspec

from pier.spec import digests
from pier.spec.errors import InvalidParameter

MAX_BYTES = 8 << 20
MAX_LAYERS = 500
OWN_LABELS = "io.pier."

Count = Annotated[int, msgspec.Meta(ge=-(1 << 62), le=1 << 62)]
Nothing = dict[str, object] | None


class Healthcheck(msgspec.Struct, rename="pascal", omit_defaults=True):
    """How to ask whether the program is well. Times in nanoseconds."""

    test: list[str] | None = None
    interval: Count = 0
    timeout: Count = 0
    start_period: Count = 0
    start_interval: Count = 0
    retries: Count = 0


class RunConfig(msgspec.Struct, rename="pascal", omit_defaults=True):
    """What an image says about its container (the keys of Docker's `Config` that an image may set)."""

    hostname: str | None = ""
    domainname: str | None = ""
    user: str | None = ""
    exposed_ports: dict[str, Nothing] | None = None
    env: list[str] | None = None
    cmd: list[str] | str | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    volumes: dict[str, Nothing] | None = None
    working_dir: str | None = ""
    entrypoint: list[str] | str | None = None
    on_build: list[str] | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = ""
    stop_timeout: Count | None = None
    shell: list[str] | str | None = None

    def __post_init__(self) -> None:
        for name in ("cmd", "entrypoint", "shell"):
            value = getattr(self, name)
            if isinstance(value, str):
                setattr(self, name, [value])
        for name in ("hostname", "domainname", "user", "working_dir", "stop_signal"):
            if getattr(self, name) is None:
                setattr(self, name, "")
        if self.labels is not None:
            self.labels = {key: text for key, text in self.labels.items() if not key.startswith(OWN_LABELS)}


class History(msgspec.Struct, omit_defaults=True):
    """One step of the image's making; `empty_layer` says that it made no layer."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class RootFs(msgspec.Struct):
    """The image's layers by the digest of their uncompressed tar, lowest first."""

    type: str = "layers"
    diff_ids: list[str] | None = None


class ImageConfig(msgspec.Struct, omit_defaults=True):
    """An image's configuration; its digest is the image's id."""

    architecture: str = ""
    os: str = ""
    config: RunConfig | None = None
    rootfs: RootFs | None = None
    history: list[History] | None = None
    created: str | None = None
    author: str = ""
    variant: str = ""
    comment: str = ""
    docker_version: str = ""
    os_version: str = msgspec.field(default="", name="os.version")

    def __post_init__(self) -> None:
        if self.config is None:
            self.config = RunConfig()

    @property
    def run(self) -> RunConfig:
        """What the image says about its container; never None."""
        return self.config or RunConfig()

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """The layers' diff ids, lowest first."""
        return tuple(self.rootfs.diff_ids or ()) if self.rootfs else ()


_DECODER = msgspec.json.Decoder(ImageConfig)


def parse(raw: bytes) -> ImageConfig:
    """Read an image's configuration. InvalidParameter when it is none."""
    if len(raw) > MAX_BYTES:
        raise InvalidParameter(f"image configuration is larger than {MAX_BYTES} bytes")
    try:
        config = _DECODER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidParameter(f"invalid image configuration: {error}") from None
    if len(config.diff_ids) > MAX_LAYERS:
        raise InvalidParameter("max depth exceeded")
    for diff_id in config.diff_ids:
        digests.check(diff_id)
    return config


def render(config: ImageConfig) -> bytes:
    """The JSON of a configuration of our own making, without the keys that say nothing."""
    return msgspec.json.encode(config)
