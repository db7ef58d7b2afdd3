"""Docker's default seccomp profile as data, and profiles in Docker's JSON form evaluated for one container.

The facts (which calls, under which capability, architecture or kernel) are those of moby/profiles
`seccomp/default.json`. Ours is stricter in one point: the kernel reads socket(2)'s family as 32 bits while a filter
compares 64, so families are compared under a mask, and AF_ALG and AF_VSOCK cannot be had by setting a higher bit
(CVE-2026-31431).
"""

import json
from typing import Any

import msgspec

from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Seccomp, Syscall, SyscallArgument
from pier.spec.seccomp_calls import ALWAYS, BY_ARCHITECTURE, BY_CAPABILITY, NEWER_KERNEL

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
EPERM, ENOSYS = 1, 38
MASKED_EQUAL, EQUAL = "SCMP_CMP_MASKED_EQ", "SCMP_CMP_EQ"
# flags of clone(2) that make namespaces: mount, cgroup, uts, ipc, user, pid, net
_NEW_NAMESPACES = 0x7E020000
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
# (mask, value) pairs that together match every family but those whose low six bits are 38 (AF_ALG) or 40 (AF_VSOCK)
_FAMILIES = (
    (0x20, 0x00),
    (0x30, 0x30),
    (0x3C, 0x20),
    (0x3E, 0x24),
    (0x3F, 0x27),
    (0x3F, 0x29),
    (0x3E, 0x2A),
    (0x3C, 0x2C),
)

SUB_ARCHITECTURES = {
    "SCMP_ARCH_X86_64": ("SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "SCMP_ARCH_AARCH64": ("SCMP_ARCH_ARM",),
    "SCMP_ARCH_S390X": ("SCMP_ARCH_S390",),
    "SCMP_ARCH_RISCV64": (),
    "SCMP_ARCH_PPC64LE": (),
}
_NATIVE = {
    "amd64": "SCMP_ARCH_X86_64",
    "arm64": "SCMP_ARCH_AARCH64",
    "s390x": "SCMP_ARCH_S390X",
    "riscv64": "SCMP_ARCH_RISCV64",
    "ppc64le": "SCMP_ARCH_PPC64LE",
}
ACTIONS = frozenset(
    {
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_TRAP",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_LOG",
    }
)
OPERATORS = frozenset(f"SCMP_CMP_{name}" for name in ("NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"))


def default_profile(capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]) -> Seccomp:
    """Docker's profile for a container with these (bounding) capabilities."""
    native = _NATIVE.get(architecture, "")
    calls = [Syscall(names=ALWAYS, action=ALLOW)]
    if kernel >= (4, 8):
        calls.append(Syscall(names=NEWER_KERNEL, action=ALLOW))
    calls += [_when("socket", 0, mask, value, MASKED_EQUAL) for mask, value in _FAMILIES]
    calls += [_when("personality", 0, value, 0, EQUAL) for value in _PERSONALITIES]
    calls += [Syscall(names=names, action=ALLOW) for arches, names in BY_ARCHITECTURE if architecture in arches]
    calls += [Syscall(names=names, action=ALLOW) for cap, names in BY_CAPABILITY if cap in capabilities]
    if "CAP_SYS_ADMIN" not in capabilities:
        place = 1 if architecture == "s390x" else 0
        calls.append(_when("clone", place, _NEW_NAMESPACES, 0, MASKED_EQUAL))
        # glibc falls back to clone, whose flags a filter can see
        calls.append(Syscall(names=("clone3",), action=ERRNO, errno_ret=ENOSYS))
    architectures = (native, *SUB_ARCHITECTURES.get(native, ())) if native else ()
    return Seccomp(default_action=ERRNO, default_errno_ret=EPERM, architectures=architectures, syscalls=tuple(calls))


def _when(name: str, index: int, value: int, value_two: int, operator: str) -> Syscall:
    argument = SyscallArgument(index=index, value=value, value_two=value_two, op=operator)
    return Syscall(names=(name,), action=ALLOW, args=(argument,))


class _Filter(msgspec.Struct, rename="camel"):
    caps: tuple[str, ...] | None = None
    arches: tuple[str, ...] | None = None
    min_kernel: str | None = None


class _Argument(msgspec.Struct, rename="camel"):
    index: int
    value: int
    op: str
    value_two: int = 0


class _Call(msgspec.Struct, rename="camel"):
    action: str
    name: str = ""
    names: tuple[str, ...] | None = None
    errno_ret: int | None = None
    args: tuple[_Argument | None, ...] | None = None
    includes: _Filter | None = None
    excludes: _Filter | None = None
    comment: str = ""


class _ArchMap(msgspec.Struct, rename="camel"):
    architecture: str
    sub_architectures: tuple[str, ...] | None = None


class _Profile(msgspec.Struct, rename="camel"):
    default_action: str = ""
    default_errno_ret: int | None = None
    architectures: tuple[str, ...] | None = None
    arch_map: tuple[_ArchMap, ...] | None = None
    flags: tuple[str, ...] | None = None
    listener_path: str = ""
    syscalls: tuple[_Call, ...] | None = None


def custom_profile(
    text: str, capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]
) -> Seccomp | None:
    """A profile in Docker's JSON form, evaluated; None for one that filters nothing. InvalidParameter when it is no
    profile.
    """
    profile = _parse(text)
    if not profile.default_action and not profile.syscalls:
        return None
    if profile.architectures and profile.arch_map:
        raise InvalidParameter(
            "both 'architectures' and 'archMap' are specified in the seccomp profile, "
            "use either 'architectures' or 'archMap'"
        )
    _check_action(profile.default_action)
    if profile.listener_path:
        raise InvalidParameter("seccomp profiles with a listener (SCMP_ACT_NOTIFY) are not supported")
    native = _NATIVE.get(architecture, "")
    architectures = profile.architectures or ()
    for entry in profile.arch_map or ():
        if entry.architecture == native:
            architectures = (native, *(entry.sub_architectures or ()))
    calls = [_evaluated(call) for call in profile.syscalls or () if _applies(call, capabilities, architecture, kernel)]
    return Seccomp(
        default_action=profile.default_action,
        default_errno_ret=profile.default_errno_ret,
        architectures=tuple(architectures),
        flags=profile.flags or (),
        syscalls=tuple(calls),
    )


def _parse(text: str) -> _Profile:
    try:
        value: Any = json.loads(text)
        return msgspec.convert(value, _Profile)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise InvalidParameter(f"Decoding seccomp profile failed: {error}") from None


def _check_action(action: str) -> None:
    if action not in ACTIONS:
        raise InvalidParameter(f"invalid seccomp action: {action!r}")


def _applies(call: _Call, capabilities: frozenset[str], architecture: str, kernel: tuple[int, int]) -> bool:
    """Docker's rule: one excluded property suffices to drop the entry; every included one must hold."""
    excludes, includes = call.excludes or _Filter(), call.includes or _Filter()
    if architecture in (excludes.arches or ()) or set(excludes.caps or ()) & capabilities:
        return False
    if excludes.min_kernel and kernel >= _kernel(excludes.min_kernel):
        return False
    if includes.arches and architecture not in includes.arches:
        return False
    if not set(includes.caps or ()) <= capabilities:
        return False
    return not includes.min_kernel or kernel >= _kernel(includes.min_kernel)


def _kernel(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    if not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()):
        raise InvalidParameter(f"invalid kernel version: {text!r}, expected a.b")
    return int(major), int(minor)


def _evaluated(call: _Call) -> Syscall:
    if call.name and call.names:
        raise InvalidParameter(
            "both 'name' and 'names' are specified in the seccomp profile, use either 'name' or 'names'"
        )
    _check_action(call.action)
    arguments = []
    for argument in call.args or ():
        if argument is None:
            continue
        if argument.op not in OPERATORS or not 0 <= argument.index <= 5:
            raise InvalidParameter(f"invalid seccomp argument comparison: {argument.op!r} of argument {argument.index}")
        if not 0 <= argument.value < 1 << 64 or not 0 <= argument.value_two < 1 << 64:
            raise InvalidParameter(f"invalid seccomp argument value: {argument.value}")
        arguments.append(
            SyscallArgument(index=argument.index, value=argument.value, value_two=argument.value_two, op=argument.op)
        )
    names = call.names or ((call.name,) if call.name else ())
    return Syscall(names=tuple(names), action=call.action, errno_ret=call.errno_ret, args=tuple(arguments))
