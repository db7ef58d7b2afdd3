"""Options of the local driver: `type`, `device` and `o` become a mount, in mount(8)'s words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pier.kernel import mount as words
from pier.spec.errors import InvalidParameter, NotSupported

_KEYS = ("type", "device", "o")
_FLAGS: dict[str, tuple[int, bool]] = {
    "ro": (words.MS_RDONLY, True),
    "rw": (words.MS_RDONLY, False),
    "nosuid": (words.MS_NOSUID, True),
    "suid": (words.MS_NOSUID, False),
    "nodev": (words.MS_NODEV, True),
    "dev": (words.MS_NODEV, False),
    "noexec": (words.MS_NOEXEC, True),
    "exec": (words.MS_NOEXEC, False),
    "sync": (words.MS_SYNCHRONOUS, True),
    "async": (words.MS_SYNCHRONOUS, False),
    "dirsync": (words.MS_DIRSYNC, True),
    "mand": (words.MS_MANDLOCK, True),
    "nomand": (words.MS_MANDLOCK, False),
    "noatime": (words.MS_NOATIME, True),
    "atime": (words.MS_NOATIME, False),
    "nodiratime": (words.MS_NODIRATIME, True),
    "diratime": (words.MS_NODIRATIME, False),
    "relatime": (words.MS_RELATIME, True),
    "norelatime": (words.MS_RELATIME, False),
    "strictatime": (words.MS_STRICTATIME, True),
    "nostrictatime": (words.MS_STRICTATIME, False),
    "bind": (words.MS_BIND, True),
    "rbind": (words.MS_BIND | words.MS_REC, True),
    "remount": (words.MS_REMOUNT, True),
    "defaults": (0, True),
}
_PROPAGATION: dict[str, int] = {
    "private": words.MS_PRIVATE,
    "rprivate": words.MS_PRIVATE | words.MS_REC,
    "shared": words.MS_SHARED,
    "rshared": words.MS_SHARED | words.MS_REC,
    "slave": words.MS_SLAVE,
    "rslave": words.MS_SLAVE | words.MS_REC,
    "unbindable": words.MS_UNBINDABLE,
    "runbindable": words.MS_UNBINDABLE | words.MS_REC,
}
# What the kernel cannot mount alone: mount(8) would start a helper program for these.
_HELPED = ("nfs", "nfs4", "cifs", "smb3", "fuse", "sshfs")


@dataclass(frozen=True, slots=True)
class VolumeMount:
    """What to mount on a volume's directory."""

    filesystem: str
    device: str
    flags: int
    propagation: tuple[int, ...]
    data: str


def check(name: str, options: Mapping[str, str]) -> VolumeMount | None:
    """Return the mount that a volume's options ask for, None without options. Docker's errors for bad ones."""
    if not options:
        return None
    for key in options:
        if key not in _KEYS:
            raise InvalidParameter(f'create {name}: invalid option: "{key}"')
    for key in ("device", "type"):
        if not options.get(key):
            raise InvalidParameter(f'create {name}: missing required option: "{key}"')
    filesystem = options["type"]
    if filesystem.split(".")[0] in _HELPED:
        raise NotSupported(
            f"create {name}: volumes of type {filesystem} are not supported: mount it on the host and bind it"
        )
    flags, propagation, data = _split(options.get("o", ""))
    if flags & words.MS_BIND and not options["device"].startswith("/"):
        raise InvalidParameter(f"create {name}: device {options['device']} of a bind must be an absolute path")
    if flags & words.MS_REMOUNT:
        raise InvalidParameter(f'create {name}: invalid option: "remount"')
    return VolumeMount(filesystem, options["device"], flags, propagation, data)


def _split(text: str) -> tuple[int, tuple[int, ...], str]:
    flags = 0
    propagation: list[int] = []
    data: list[str] = []
    for word in filter(None, text.split(",")):
        if word in _FLAGS:
            bits, wanted = _FLAGS[word]
            flags = flags | bits if wanted else flags & ~bits
        elif word in _PROPAGATION:
            propagation.append(_PROPAGATION[word])
        else:
            data.append(word)
    return flags, tuple(propagation), ",".join(data)
