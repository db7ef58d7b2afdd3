"""libseccomp through ctypes: rules by name become a BPF program. Used where a profile is first seen, never between fork
and exec.
"""

import ctypes
import functools
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

ALLOW = 0x7FFF0000
LOG = 0x7FFC0000
TRACE = 0x7FF00000
TRAP = 0x00030000
ERRNO = 0x00050000
KILL_PROCESS = 0x80000000
KILL_THREAD = 0x00000000

ARCHITECTURES = {
    "SCMP_ARCH_X86": 0x40000003,
    "SCMP_ARCH_X86_64": 0xC000003E,
    "SCMP_ARCH_X32": 0x4000003E,
    "SCMP_ARCH_ARM": 0x40000028,
    "SCMP_ARCH_AARCH64": 0xC00000B7,
    "SCMP_ARCH_MIPS": 0x00000008,
    "SCMP_ARCH_MIPS64": 0x80000008,
    "SCMP_ARCH_MIPS64N32": 0xA0000008,
    "SCMP_ARCH_MIPSEL": 0x40000008,
    "SCMP_ARCH_MIPSEL64": 0xC0000008,
    "SCMP_ARCH_MIPSEL64N32": 0xE0000008,
    "SCMP_ARCH_PPC": 0x00000014,
    "SCMP_ARCH_PPC64": 0x80000015,
    "SCMP_ARCH_PPC64LE": 0xC0000015,
    "SCMP_ARCH_S390": 0x00000016,
    "SCMP_ARCH_S390X": 0x80000016,
    "SCMP_ARCH_RISCV64": 0xC00000F3,
    "SCMP_ARCH_LOONGARCH64": 0xC0000102,
}
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_NO_NEW_PRIVS, _OPTIMIZE = 3, 8
_BINARY_TREE = 2
_EEXIST, _EDOM = -17, -33


@dataclass(frozen=True, slots=True)
class Comparison:
    """One argument's condition; for MASKED_EQ `value` is the mask and `value_two` what is compared."""

    index: int
    operator: int
    value: int
    value_two: int = 0


class Failed(Exception):
    """libseccomp refused: `operation` and its errno."""

    def __init__(self, operation: str, number: int) -> None:
        super().__init__(f"libseccomp: {operation}: {os.strerror(abs(number))}")


class _Argument(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_uint),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Filter:
    """A filter under construction; use it in a `with`."""

    def __init__(self, default_action: int) -> None:
        self._library = _open()
        self._context = ctypes.c_void_p(self._library.seccomp_init(default_action))
        if self._context.value is None:
            raise Failed("init", 22)
        self._check("attribute", self._library.seccomp_attr_set(self._context, _NO_NEW_PRIVS, 0))
        # an attribute of libseccomp 2.5; an older one keeps its linear list of comparisons
        self._library.seccomp_attr_set(self._context, _OPTIMIZE, _BINARY_TREE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._library.seccomp_release(self._context)

    def add_architecture(self, token: int) -> None:
        """Filter this architecture's calls too; the native one is there already."""
        result = self._library.seccomp_arch_add(self._context, token)
        if result not in (0, _EEXIST):
            raise Failed("add an architecture", result)

    def add(self, action: int, number: int, comparisons: Sequence[Comparison] = ()) -> None:
        """Take `action` for a call, by its native number, when all comparisons hold."""
        array = (_Argument * max(len(comparisons), 1))()
        for place, comparison in enumerate(comparisons):
            array[place] = _Argument(comparison.index, comparison.operator, comparison.value, comparison.value_two)
        result = self._library.seccomp_rule_add_array(self._context, action, number, len(comparisons), array)
        if result not in (0, _EDOM):
            raise Failed(f"add a rule for call {number}", result)

    def export(self) -> bytes:
        """The BPF program."""
        descriptor = os.memfd_create("seccomp", os.MFD_CLOEXEC)
        try:
            self._check("export", self._library.seccomp_export_bpf(self._context, descriptor))
            return os.pread(descriptor, os.fstat(descriptor).st_size, 0)
        finally:
            os.close(descriptor)

    @staticmethod
    def _check(operation: str, result: int) -> None:
        if result:
            raise Failed(operation, result)


def number_of(name: str) -> int | None:
    """The native number of a call (negative for one that only other architectures have); None when it is unknown."""
    number: int = _open().seccomp_syscall_resolve_name(name.encode())
    return None if number == -1 else number


def native_architecture() -> int:
    """The token of the architecture that this process runs on."""
    token: int = _open().seccomp_arch_native()
    return token


def instruction(code: int, true: int, false: int, value: int) -> bytes:
    """One classic BPF instruction."""
    return struct.pack("=HBBI", code, true, false, value)


@functools.cache
def _open() -> ctypes.CDLL:
    """The library, loaded when it is first needed: only those who compile filters pay for it."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_attr_set.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32)
    library.seccomp_arch_add.argtypes = (ctypes.c_void_p, ctypes.c_uint32)
    library.seccomp_arch_native.restype = ctypes.c_uint32
    library.seccomp_rule_add_array.argtypes = (
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p,
    )  # fmt: skip
    library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
    library.seccomp_release.argtypes = (ctypes.c_void_p,)
    library.seccomp_release.restype = None
    library.seccomp_syscall_resolve_name.argtypes = (ctypes.c_char_p,)
    return library
