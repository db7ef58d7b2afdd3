"""The options of an OCI mount, which are mount(8)'s words, sorted into what the kernel takes where. Pure."""

from pier.kernel import mount as m
from pier.runtime.record import Record

_SET = {
    "ro": m.MOUNT_ATTR_RDONLY,
    "nosuid": m.MOUNT_ATTR_NOSUID,
    "nodev": m.MOUNT_ATTR_NODEV,
    "noexec": m.MOUNT_ATTR_NOEXEC,
    "noatime": m.MOUNT_ATTR_NOATIME,
    "nodiratime": m.MOUNT_ATTR_NODIRATIME,
    "strictatime": m.MOUNT_ATTR_STRICTATIME,
    "relatime": m.MOUNT_ATTR_RELATIME,
    "nosymfollow": m.MOUNT_ATTR_NOSYMFOLLOW,
}
_CLEAR = {
    "rw": m.MOUNT_ATTR_RDONLY,
    "suid": m.MOUNT_ATTR_NOSUID,
    "dev": m.MOUNT_ATTR_NODEV,
    "exec": m.MOUNT_ATTR_NOEXEC,
    "diratime": m.MOUNT_ATTR_NODIRATIME,
    "symfollow": m.MOUNT_ATTR_NOSYMFOLLOW,
}
_ATIMES = {"noatime", "strictatime", "relatime", "atime", "norelatime", "nostrictatime"}
_PROPAGATION = {
    "private": m.MS_PRIVATE,
    "slave": m.MS_SLAVE,
    "shared": m.MS_SHARED,
    "unbindable": m.MS_UNBINDABLE,
}
# The superblock's own flags, which fsconfig takes as flags.
_SUPERBLOCK = {"sync", "dirsync", "mand", "lazytime", "silent", "iversion"}
_IGNORED = {"defaults", "async", "nomand", "nolazytime", "loud", "noiversion", "norelatime", "nostrictatime", "atime"}


class MountOptions(Record):
    """The sorted options: attributes to set and clear (of the mount, or of the whole tree), propagation, data."""

    bind: bool = False
    recursive: bool = False
    set: int = 0
    clear: int = 0
    set_tree: int = 0
    clear_tree: int = 0
    propagation: int = 0
    propagation_tree: bool = False
    copy_up: bool = False
    data: tuple[tuple[str, str | None], ...] = ()


def parse_options(options: list[str]) -> MountOptions:
    """Sort the words; an unknown word is data for the file system."""
    sorted_ = MountOptions()
    for option in options:
        if not (_bind(sorted_, option) or _attribute(sorted_, option) or _propagation(sorted_, option)):
            _data(sorted_, option)
    return sorted_


def _bind(sorted_: MountOptions, option: str) -> bool:
    if option not in ("bind", "rbind"):
        return False
    sorted_.bind, sorted_.recursive = True, sorted_.recursive or option == "rbind"
    return True


def _attribute(sorted_: MountOptions, option: str) -> bool:
    if option in _ATIMES:
        sorted_.clear |= m.MOUNT_ATTR__ATIME
    if option in _SET:
        sorted_.set, sorted_.clear = sorted_.set | _SET[option], sorted_.clear & ~_SET[option] | _atime(option)
    elif option in _CLEAR:
        sorted_.clear, sorted_.set = sorted_.clear | _CLEAR[option], sorted_.set & ~_CLEAR[option]
    elif option[:1] == "r" and option[1:] in _SET:
        sorted_.set_tree |= _SET[option[1:]]
    elif option[:1] == "r" and option[1:] in _CLEAR:
        sorted_.clear_tree |= _CLEAR[option[1:]]
    else:
        return option in _IGNORED
    return True


def _atime(option: str) -> int:
    """The kernel wants all of atime's bits cleared when one of its values is set."""
    return m.MOUNT_ATTR__ATIME if option in _ATIMES else 0


def _propagation(sorted_: MountOptions, option: str) -> bool:
    tree = option[:1] == "r" and option[1:] in _PROPAGATION
    name = option[1:] if tree else option
    if name not in _PROPAGATION:
        return False
    sorted_.propagation, sorted_.propagation_tree = _PROPAGATION[name], tree
    return True


def _data(sorted_: MountOptions, option: str) -> None:
    key, sign, value = option.partition("=")
    if option == "tmpcopyup":
        sorted_.copy_up = True
    elif option in _SUPERBLOCK or not sign:
        sorted_.data += ((option, None),)
    else:
        sorted_.data += ((key, value),)


WORDS = (
    {"bind", "rbind", "tmpcopyup", *_SET, *_CLEAR, *_PROPAGATION, *_SUPERBLOCK, *_IGNORED}
    | {f"r{word}" for word in (*_SET, *_CLEAR, *_PROPAGATION)}
)  # fmt: skip
