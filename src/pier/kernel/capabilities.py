"""Capabilities of the kernel by name and number, and the calls that set them; no policy.

Called between fork and exec: imports nothing at call time. Numbers from `linux/capability.h`.
"""

import struct

from pier.kernel.libc import call, syscall

NAMES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
NUMBER = {name: number for number, name in enumerate(NAMES)}

_VERSION_3 = 0x20080522
_PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_CAP_AMBIENT = 23, 24, 47
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_HEADER = struct.pack("=Ii", _VERSION_3, 0)
_DATA = struct.Struct("=6I")


def mask(names: tuple[str, ...] | list[str] | frozenset[str]) -> int:
    """The names as a bit mask; KeyError for a name that is none."""
    bits = 0
    for name in names:
        bits |= 1 << NUMBER[name]
    return bits


def names(bits: int) -> tuple[str, ...]:
    """The bit mask as names, in the kernel's order."""
    return tuple(name for number, name in enumerate(NAMES) if bits >> number & 1)


def bounding_set() -> frozenset[str]:
    """The capabilities that this process could ever have."""
    found = []
    for number, name in enumerate(NAMES):
        try:
            if call("prctl", _PR_CAPBSET_READ, number, 0, 0, 0) == 1:
                found.append(name)
        except OSError:  # a number that this kernel does not know
            break
    return frozenset(found)


def last_capability() -> int:
    """The highest number that the kernel knows."""
    with open("/proc/sys/kernel/cap_last_cap", "rb") as file:
        return int(file.read())


def drop_bounding(keep: int, last: int) -> None:
    """Drop every capability up to `last` that is not in the mask `keep` from the bounding set. Needs CAP_SETPCAP."""
    for number in range(last + 1):
        if not keep >> number & 1 and call("prctl", _PR_CAPBSET_READ, number, 0, 0, 0) == 1:
            call("prctl", _PR_CAPBSET_DROP, number, 0, 0, 0)


def set_capabilities(effective: int, permitted: int, inheritable: int) -> None:
    """Set this thread's three sets (capset(2)). Raises OSError."""
    low = 0xFFFFFFFF
    data = _DATA.pack(
        effective & low, permitted & low, inheritable & low, effective >> 32, permitted >> 32, inheritable >> 32
    )
    syscall("capset", _HEADER, data)


def set_ambient(bits: int) -> None:
    """Make the ambient set exactly `bits`, which must be permitted and inheritable."""
    call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    for number in range(len(NAMES)):
        if bits >> number & 1:
            call("prctl", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, number, 0, 0)
