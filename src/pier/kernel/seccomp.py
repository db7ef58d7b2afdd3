"""Load a compiled seccomp filter into this thread (seccomp(2)). Callable between fork and exec: imports nothing at call
time.
"""

import ctypes
import struct

from pier.kernel.libc import syscall

_SET_MODE_FILTER = 1
FLAG_TSYNC = 1
FLAG_LOG = 2
FLAG_SPEC_ALLOW = 4
_INSTRUCTION_SIZE = 8
_PROGRAM = struct.Struct("@HP")


def load(program: bytes, flags: int = 0) -> None:
    """Put the filter in force, for good. Needs no_new_privs or CAP_SYS_ADMIN. Raises OSError."""
    instructions = ctypes.create_string_buffer(program, len(program))
    header = _PROGRAM.pack(len(program) // _INSTRUCTION_SIZE, ctypes.addressof(instructions))
    syscall("seccomp", _SET_MODE_FILTER, flags, header)
