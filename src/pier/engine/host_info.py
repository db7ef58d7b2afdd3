"""What `/info` and `/version` say of the host: read from files, without deciding anything."""

import os
import platform
import socket
import sys
from pathlib import Path

from pier.spec import mountinfo

_FILESYSTEMS = {"ext2/ext3": "extfs", "ext4": "extfs", "ext3": "extfs", "ext2": "extfs"}


def operating_system() -> tuple[str, str]:
    """The distribution's pretty name and version, of os-release(5)."""
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        try:
            text = Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
        values = {key: value.strip().strip("\"'") for key, value in fields.items()}
        return values.get("PRETTY_NAME", "Linux"), values.get("VERSION_ID", "")
    return "Linux", ""


def filesystem_of(path: Path, table: Path = mountinfo.SELF) -> str:
    """The name of the file system below a path, as Docker calls it."""
    try:
        mounts = table.read_bytes()
    except OSError:
        return "unknown"
    real, best, kind = os.path.realpath(path), "", "unknown"
    for mount in mountinfo.parse(mounts):
        inside = real == mount.point or real.startswith(mount.point.rstrip("/") + "/")
        if inside and len(mount.point) >= len(best):
            best, kind = mount.point, mount.kind
    return _FILESYSTEMS.get(kind, kind)


def kernel_version() -> str:
    """The running kernel's release."""
    return platform.release()


def machine() -> str:
    """The processor's name, as uname(2) has it."""
    return platform.machine()


def name() -> str:
    """The host's name."""
    return socket.gethostname()


def python_version() -> str:
    """The interpreter that runs the daemon."""
    return f"Python {sys.version.split(maxsplit=1)[0]}"


def open_descriptors() -> int:
    """How many file descriptors the daemon has open."""
    try:
        return len(os.listdir("/proc/self/fd"))
    except OSError:
        return -1


def environment(name: str) -> str:
    """A proxy variable, without a password in it."""
    value = os.environ.get(name) or os.environ.get(name.lower(), "")
    scheme, separator, rest = value.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}{separator}xxxxx:xxxxx@{host}" if at and credentials else value
