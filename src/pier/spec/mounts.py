"""Wire types of a mount request (`HostConfig.Mounts`) and of a mount point as inspect shows it."""

from typing import TypeAlias

import msgspec

from pier.spec.go_types import FileMode, Int64, MountType


class BindOptions(msgspec.Struct, omit_defaults=True):
    """Options of a bind mount."""

    Propagation: str = ""
    NonRecursive: bool = False
    CreateMountpoint: bool = False
    ReadOnlyNonRecursive: bool = False
    ReadOnlyForceRecursive: bool = False


class Driver(msgspec.Struct, omit_defaults=True):
    """A volume driver and its options."""

    Name: str = ""
    Options: dict[str, str] | None = None


class VolumeOptions(msgspec.Struct, omit_defaults=True):
    """Options of a volume mount; `Subpath` is relative to the volume's root."""

    NoCopy: bool = False
    Labels: dict[str, str] | None = None
    Subpath: str = ""
    DriverConfig: Driver | None = None


class ImageOptions(msgspec.Struct, omit_defaults=True):
    """Options of an image mount."""

    Subpath: str = ""


class TmpfsOptions(msgspec.Struct, omit_defaults=True):
    """Options of a tmpfs: bytes, permission bits, and key/value or flag options."""

    SizeBytes: Int64 = 0
    Mode: FileMode = 0
    Options: list[list[str]] | None = None


class ClusterOptions(msgspec.Struct, omit_defaults=True):
    """Options of a cluster volume: Docker has none."""


# a field that is called as its type hides the type inside the class body
_Bind: TypeAlias = BindOptions
_Volume: TypeAlias = VolumeOptions
_Image: TypeAlias = ImageOptions
_Tmpfs: TypeAlias = TmpfsOptions
_Cluster: TypeAlias = ClusterOptions


class Mount(msgspec.Struct, omit_defaults=True):
    """One `--mount`."""

    Type: MountType = ""
    Source: str = ""
    Target: str = ""
    ReadOnly: bool = False
    Consistency: str = ""
    BindOptions: _Bind | None = None
    VolumeOptions: _Volume | None = None
    ImageOptions: _Image | None = None
    TmpfsOptions: _Tmpfs | None = None
    ClusterOptions: _Cluster | None = None


class MountPoint(msgspec.Struct):
    """A mount as a container has it: the `Mounts` of inspect and list."""

    Type: str = ""
    Name: str = ""
    Source: str = ""
    Destination: str = ""
    Driver: str = ""
    Mode: str = ""
    RW: bool = True
    Propagation: str = ""
