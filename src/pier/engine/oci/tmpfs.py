"""Options of tmpfs mounts, from `--tmpfs` and `--mount type=tmpfs`; pure.

Source: moby `pkg/mount` (MergeTmpfsOptions) and `volume/mounts/linux_parser.go` (ConvertTmpfsOptions).
"""

from collections.abc import Iterable

from pier.spec.containers import Mount
from pier.spec.errors import InvalidParameter

_OPPOSITES = (
    ("ro", "rw"),
    ("suid", "nosuid"),
    ("dev", "nodev"),
    ("exec", "noexec"),
    ("sync", "async"),
    ("dirsync",),
    ("mand", "nomand"),
    ("atime", "noatime"),
    ("diratime", "nodiratime"),
    ("relatime", "norelatime"),
    ("strictatime", "nostrictatime"),
    ("private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable"),
    ("bind", "rbind"),
    ("remount",),
    ("defaults",),
)
_GROUP = {word: number for number, words in enumerate(_OPPOSITES) for word in words}
_KEYS = frozenset({"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol"})
_FORBIDDEN = frozenset({"bind", "rbind", "remount"})


def merged_options(words: Iterable[str]) -> tuple[str, ...]:
    """The options where a later one replaces its opposite or an earlier value. InvalidParameter in Docker's words."""
    chosen: dict[int | str, str] = {}
    for word in words:
        key, sign, value = word.partition("=")
        if sign:
            if key not in _KEYS or not value or any(ord(character) < 33 for character in value):
                raise InvalidParameter(f'Invalid tmpfs option "{word}"')
            slot: int | str = key
        else:
            if word not in _GROUP or word in _FORBIDDEN:
                raise InvalidParameter(f'Invalid tmpfs option "{word}"')
            slot = _GROUP[word]
        chosen.pop(slot, None)
        chosen[slot] = word
    return tuple(chosen.values())


def mount_options(request: Mount | None) -> tuple[str, ...]:
    """The options of a `--mount type=tmpfs`."""
    options = request.TmpfsOptions if request else None
    if options is None:
        return ()
    words = []
    if options.Mode:
        words.append(f"mode={options.Mode:o}")
    if options.SizeBytes:
        words.append(f"size={_size(options.SizeBytes)}")
    for pair in options.Options or ():
        if not 1 <= len(pair) <= 2:
            raise InvalidParameter("invalid option array length: must be 1 or 2")
        words.append("=".join(pair))
    return tuple(words)


def _size(size: int) -> str:
    """Docker's shortest form: 64m rather than 67108864."""
    for suffix, unit in (("g", 1 << 30), ("m", 1 << 20), ("k", 1 << 10)):
        if size % unit == 0:
            return f"{size // unit}{suffix}"
    return str(size)
