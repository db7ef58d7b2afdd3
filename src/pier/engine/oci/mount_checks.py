"""Checks of `--mount` and `--tmpfs` requests, with Docker's texts; pure. (`-v` is parsed where mounts are planned.)

Source: moby `volume/mounts/linux_parser.go` (validateMountConfigImpl).
"""

import posixpath

from pier.engine.oci.tmpfs import merged_options, mount_options
from pier.spec.containers import HostConfig, Mount
from pier.spec.errors import InvalidParameter, NotSupported

PROPAGATION = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})
_CONSISTENCY = frozenset({"", "default", "consistent", "cached", "delegated"})
# which options a type may carry
_OPTIONS = {"bind": "BindOptions", "volume": "VolumeOptions", "tmpfs": "TmpfsOptions"}
_ALL_OPTIONS = ("BindOptions", "VolumeOptions", "TmpfsOptions", "ImageOptions", "ClusterOptions")
_LATER = {"image": "mounts of images", "cluster": "cluster volumes"}


def check(host_config: HostConfig) -> None:
    """InvalidParameter for the first mount that Docker would refuse; NotSupported for those that Pier does not have."""
    for mount in host_config.Mounts or ():
        check_mount(mount)
    for destination, options in (host_config.Tmpfs or {}).items():
        _check_destination(destination)
        merged_options(word for word in options.split(",") if word)


def check_mount(mount: Mount) -> None:
    """One `--mount`."""
    if mount.Type in _LATER:
        raise NotSupported(f"{_LATER[mount.Type]} are not supported")
    if mount.Type not in _OPTIONS:
        raise _invalid(mount, "mount type unknown")
    if not mount.Target:
        raise _invalid(mount, "field Target must not be empty")
    try:
        _check_destination(mount.Target)
    except InvalidParameter as error:
        raise _invalid(mount, error.message) from None
    for name in _ALL_OPTIONS:
        if name != _OPTIONS[mount.Type] and getattr(mount, name) is not None:
            raise _invalid(mount, f"field {name} must not be specified")
    if mount.Consistency not in _CONSISTENCY:
        raise _invalid(mount, f"invalid consistency mode: {mount.Consistency}")
    {"bind": _check_bind, "volume": _check_volume, "tmpfs": _check_tmpfs}[mount.Type](mount)


def _check_bind(mount: Mount) -> None:
    if not mount.Source:
        raise _invalid(mount, "field Source must not be empty")
    if not mount.Source.startswith("/"):
        raise _invalid(mount, f"invalid mount path: '{mount.Source}' mount path must be absolute")
    if "\0" in mount.Source:
        raise _invalid(mount, "invalid mount path: it contains a null byte")
    options = mount.BindOptions
    if options is None:
        return
    if options.Propagation and options.Propagation not in PROPAGATION:
        raise _invalid(mount, f"invalid propagation mode: {options.Propagation}")
    if options.ReadOnlyNonRecursive and not mount.ReadOnly:
        raise _invalid(mount, "mount option ReadOnlyNonRecursive requires the mount to be read-only")
    if options.ReadOnlyForceRecursive and not mount.ReadOnly:
        raise _invalid(mount, "mount option ReadOnlyForceRecursive requires the mount to be read-only")
    if options.ReadOnlyForceRecursive and options.ReadOnlyNonRecursive:
        raise _invalid(mount, "ReadOnlyForceRecursive and ReadOnlyNonRecursive cannot both be set")
    if options.ReadOnlyForceRecursive and options.Propagation != "rprivate":
        raise _invalid(mount, "mount option ReadOnlyForceRecursive requires propagation mode 'rprivate'")
    if options.NonRecursive and options.ReadOnlyForceRecursive:
        raise _invalid(mount, "mount option ReadOnlyForceRecursive conflicts with NonRecursive")


def _check_volume(mount: Mount) -> None:
    if not mount.Source and mount.ReadOnly:
        raise _invalid(mount, "must not set ReadOnly mode when using anonymous volumes")
    if mount.VolumeOptions and mount.VolumeOptions.Subpath:
        raise NotSupported("mounting a subpath of a volume is not supported")


def _check_tmpfs(mount: Mount) -> None:
    if mount.Source:
        raise _invalid(mount, "field Source must not be specified")
    options = mount.TmpfsOptions
    if options is None:
        return
    if options.SizeBytes < 0:
        raise _invalid(mount, "invalid size: it cannot be negative")
    if options.Mode > 0o7777:
        raise _invalid(mount, f"invalid mode: {options.Mode:o}")
    merged_options(mount_options(mount))


def _check_destination(path: str) -> None:
    if not path.startswith("/"):
        raise InvalidParameter(f"invalid mount path: '{path}' mount path must be absolute")
    if posixpath.normpath(f"/{path.lstrip('/')}") == "/":
        raise InvalidParameter("invalid specification: destination can't be '/'")
    if "\0" in path:
        raise InvalidParameter(f"invalid mount path: {path!r} contains a null byte")


def _invalid(mount: Mount, text: str) -> InvalidParameter:
    return InvalidParameter(f'invalid mount config for type "{mount.Type}": {text}')
