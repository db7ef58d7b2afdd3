"""The one door to system calls that Python does not offer: libc's functions, and raw `syscall`; errno becomes OSError.

The numbers above 424 are the same on every architecture of Linux; those below are listed per machine.
"""

import ctypes
import os

# PyDLL keeps the interpreter lock: a raw clone in the child must find the interpreter as it was.
_libc = ctypes.PyDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long

_MACHINE = os.uname().machine
_NUMBERS = {
    "x86_64": {
        "clone": 56,
        "pivot_root": 155,
        "seccomp": 317,
        "capset": 126,
        "capget": 125,
        "bpf": 321,
        "keyctl": 250,
        "set_tid_address": 218,
    },
    "aarch64": {
        "clone": 220,
        "pivot_root": 41,
        "seccomp": 277,
        "capset": 91,
        "capget": 90,
        "bpf": 280,
        "keyctl": 219,
        "set_tid_address": 96,
    },
}
NUMBER = {
    **_NUMBERS.get(_MACHINE, _NUMBERS["x86_64"]),
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "clone3": 435,
    "close_range": 436,
    "openat2": 437,
    "mount_setattr": 442,
}


def failure(name: str, path: str | bytes | None = None) -> OSError:
    """The OSError of the call `name` that has just failed, by ctypes' copy of errno."""
    number = ctypes.get_errno()
    return OSError(number, f"{name}: {os.strerror(number)}", path)


def syscall(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Make the named system call; integers are passed as machine words. Raises OSError."""
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = _syscall(ctypes.c_long(NUMBER[name]), *words)
    if result == -1:
        raise failure(name)
    return result


def call(name: str, *arguments: int | bytes | None) -> int:
    """Call a function of libc that answers -1 on failure. Raises OSError."""
    words = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    result: int = getattr(_libc, name)(*words)
    if result == -1:
        raise failure(name)
    return result
