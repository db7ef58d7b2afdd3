"""The wire types of volumes in Docker's API 1.50."""

from typing import Any, ClassVar

import msgspec


class VolumeCreateRequest(msgspec.Struct):
    """The body of `POST /volumes/create`."""

    GO_NAME: ClassVar[str] = "volume.CreateOptions"

    Name: str = ""
    Driver: str = ""
    DriverOpts: dict[str, str] | None = None
    Labels: dict[str, str] | None = None
    ClusterVolumeSpec: Any = None
