"""Load and attach eBPF programs of type CGROUP_DEVICE: the device control of cgroup v2. bpf(2), nothing else.

Callable between fork and exec: imports nothing at call time. Offsets from `union bpf_attr` in `linux/bpf.h`.
"""

import ctypes
import os
import struct

from pier.kernel.libc import syscall

_PROG_LOAD, _PROG_ATTACH, _PROG_DETACH, _PROG_GET_FD_BY_ID, _PROG_QUERY = 5, 8, 9, 13, 16
_TYPE_CGROUP_DEVICE = 15
_ATTACH_CGROUP_DEVICE = 6
_ALLOW_MULTI = 2
_LICENSE = ctypes.create_string_buffer(b"Apache")
_INSTRUCTION_SIZE = 8


def load(program: bytes) -> int:
    """Load a device program; a descriptor of it, close-on-exec. Raises OSError (EINVAL: the verifier refused)."""
    instructions = ctypes.create_string_buffer(program, len(program))
    attributes = struct.pack(
        "=IIQQIIQII16s",
        _TYPE_CGROUP_DEVICE,
        len(program) // _INSTRUCTION_SIZE,
        ctypes.addressof(instructions),
        ctypes.addressof(_LICENSE),
        0,
        0,
        0,
        0,
        0,
        b"pier_devices",
    )
    return syscall("bpf", _PROG_LOAD, attributes, len(attributes))


def attach(cgroup: int, program: int) -> None:
    """Attach a loaded program to the group's directory; all attached programs must allow an access."""
    attributes = struct.pack("=IIII", cgroup, program, _ATTACH_CGROUP_DEVICE, _ALLOW_MULTI)
    syscall("bpf", _PROG_ATTACH, attributes, len(attributes))


def detach(cgroup: int, program: int) -> None:
    """Detach a program from the group."""
    attributes = struct.pack("=III", cgroup, program, _ATTACH_CGROUP_DEVICE)
    syscall("bpf", _PROG_DETACH, attributes, len(attributes))


def attached(cgroup: int, limit: int = 64) -> list[int]:
    """The ids of the device programs attached to the group itself."""
    ids = ctypes.create_string_buffer(4 * limit)
    attributes = ctypes.create_string_buffer(
        struct.pack("=IIIIQI4x", cgroup, _ATTACH_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), limit)
    )
    syscall("bpf", _PROG_QUERY, attributes, 32)
    count = struct.unpack_from("=I", attributes, 24)[0]
    return list(struct.unpack_from(f"={count}I", ids))


def replace(cgroup: int, program: int) -> None:
    """Make `program` the group's only device program: the new one is attached before the old ones go."""
    old = attached(cgroup)
    attach(cgroup, program)
    for number in old:
        descriptor = syscall("bpf", _PROG_GET_FD_BY_ID, struct.pack("=I", number), 4)
        try:
            detach(cgroup, descriptor)
        finally:
            os.close(descriptor)
