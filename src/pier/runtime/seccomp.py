"""Compiles the seccomp part of an OCI configuration to a BPF program, once per content: in memory, and on disk between
starts.

*Theory of operation*: libseccomp compiles rules by name. Before its program stands a prologue of ours that acts only on
numbers of Linux 5.1 and later: calls that the profile allows but this libseccomp cannot name yet are allowed, and calls
newer than any that the profile names answer ENOSYS, as under runc, so that C libraries fall back instead of failing
with EPERM.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pier.kernel import libseccomp
from pier.kernel.libseccomp import Comparison, Failed, Filter
from pier.kernel.seccomp import FLAG_LOG, FLAG_SPEC_ALLOW, FLAG_TSYNC
from pier.spec.errors import InvalidParameter, SystemFailure
from pier.spec.runtime_config import Seccomp, Syscall
from pier.spec.seccomp_calls import NEW_NUMBERS

_ENOSYS = 38
_FORMAT = b"1"  # changes when the same profile compiles to another program
_FIRST_NEW = min(NEW_NUMBERS.values())
_X32_BIT = 0x40000000
_PLAIN = {
    "SCMP_ACT_KILL": libseccomp.KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": libseccomp.KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": libseccomp.KILL_PROCESS,
    "SCMP_ACT_TRAP": libseccomp.TRAP,
    "SCMP_ACT_ALLOW": libseccomp.ALLOW,
    "SCMP_ACT_LOG": libseccomp.LOG,
}
_WITH_VALUE = {"SCMP_ACT_ERRNO": libseccomp.ERRNO, "SCMP_ACT_TRACE": libseccomp.TRACE}
_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": FLAG_TSYNC,
    "SECCOMP_FILTER_FLAG_LOG": FLAG_LOG,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": FLAG_SPEC_ALLOW,
}
# AUDIT_ARCH_… of linux/audit.h, which is libseccomp's token for all but x32
_LOAD_NUMBER, _LOAD_ARCHITECTURE = 0, 4
_LD, _JEQ, _JGE, _JGT, _RET, _JA = 0x20, 0x15, 0x35, 0x25, 0x06, 0x05
_MASK = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class CompiledFilter:
    """A program for `kernel.seccomp.load`, with the flags to load it with."""

    program: bytes
    flags: int


class FilterCache:
    """Compiled filters by the hash of what they were made from; `directory` (0700, ours) keeps them over restarts."""

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._filters: dict[str, CompiledFilter] = {}

    def compile(self, profile: Seccomp) -> CompiledFilter:
        """The filter of a profile. InvalidParameter for a profile that cannot be compiled."""
        key = hashlib.sha256(_FORMAT + msgspec.json.encode(profile)).hexdigest()
        found = self._filters.get(key) or self._stored(key, profile)
        if found is None:
            found = compile_filter(profile)
            self._store(key, found)
        self._filters[key] = found
        return found

    def _stored(self, key: str, profile: Seccomp) -> CompiledFilter | None:
        if self._directory is None:
            return None
        try:
            program = (self._directory / key).read_bytes()
        except OSError:
            return None
        # the digest guards against a file cut short by a crash
        if len(program) < 40 or hashlib.sha256(program[32:]).digest() != program[:32]:
            return None
        return CompiledFilter(program[32:], _flags(profile))

    def _store(self, key: str, compiled: CompiledFilter) -> None:
        if self._directory is None:
            return
        temporary = self._directory / f".{key}.{os.getpid()}"
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary.write_bytes(hashlib.sha256(compiled.program).digest() + compiled.program)
            temporary.rename(self._directory / key)
        except OSError:
            temporary.unlink(missing_ok=True)  # a cache that cannot be written is only slower


def compile_filter(profile: Seccomp) -> CompiledFilter:
    """Compile without a cache; about 8 ms for Docker's default profile."""
    try:
        with Filter(_action(profile.default_action, profile.default_errno_ret)) as building:
            for name in profile.architectures:
                if name not in libseccomp.ARCHITECTURES:
                    raise InvalidParameter(f"unrecognized architecture {name} in the seccomp profile")
                building.add_architecture(libseccomp.ARCHITECTURES[name])
            for call in profile.syscalls:
                _add(building, profile, call)
            program = building.export()
    except Failed as error:
        raise InvalidParameter(f"unable to compile the seccomp profile: {error}") from None
    except OSError as error:
        raise SystemFailure(f"seccomp is not available: {error}") from None
    return CompiledFilter(_prologue(profile) + program, _flags(profile))


def _flags(profile: Seccomp) -> int:
    flags = 0
    for name in profile.flags:
        if name not in _FLAGS:
            raise InvalidParameter(f"seccomp flag {name} is not supported")
        flags |= _FLAGS[name]
    return flags


def _action(name: str, number: int | None) -> int:
    if name in _WITH_VALUE:
        value = 1 if number is None else number
        if not 0 <= value < 1 << 16:
            raise InvalidParameter(f"invalid errno {value} in the seccomp profile")
        return _WITH_VALUE[name] | value
    if name not in _PLAIN:
        raise InvalidParameter(f"seccomp action {name} is not supported")
    return _PLAIN[name]


def _add(building: Filter, profile: Seccomp, call: Syscall) -> None:
    """Add a call's rules. A rule that equals the default is nothing to libseccomp; an unknown name is left to the
    default.
    """
    action = _action(call.action, call.errno_ret)
    if action == _action(profile.default_action, profile.default_errno_ret):
        return
    for name in call.names:
        number = libseccomp.number_of(name)
        if number is None:
            continue
        for comparisons in _comparisons(call):
            building.add(action, number, comparisons)


def _comparisons(call: Syscall) -> list[list[Comparison]]:
    """All comparisons in one rule (AND); as under runc, one rule each (OR) when an argument occurs twice."""
    plain = [
        Comparison(
            argument.index, libseccomp.OPERATORS[argument.op], argument.value & _MASK, argument.value_two & _MASK
        )
        for argument in call.args
    ]
    indexes = [comparison.index for comparison in plain]
    return [[one] for one in plain] if len(set(indexes)) < len(indexes) else [plain]


def _prologue(profile: Seccomp) -> bytes:
    """Instructions in front of libseccomp's program, for new numbers of every architecture that the profile names."""
    default = _action(profile.default_action, profile.default_errno_ret)
    if default & 0xFFFF0000 != libseccomp.ERRNO or default == libseccomp.ERRNO | _ENOSYS:
        return b""
    known = [NEW_NUMBERS[name] for call in profile.syscalls for name in call.names if name in NEW_NUMBERS]
    extra = _unnamed(profile)
    body = [(_JEQ, number, action) for number, action in sorted(extra.items())]
    if known:
        body.append((_JGT, max(known), libseccomp.ERRNO | _ENOSYS))
    if not body:
        return b""
    code = [libseccomp.instruction(opcode, 0, 1, number) + _ret(action) for opcode, number, action in body]
    inner = b"".join(code)
    return _guard(profile, len(inner) // 8) + inner


def _unnamed(profile: Seccomp) -> dict[int, int]:
    """Calls without conditions that libseccomp cannot name: number → action."""
    return {
        NEW_NUMBERS[name]: _action(call.action, call.errno_ret)
        for call in profile.syscalls
        for name in call.names
        if name in NEW_NUMBERS and not call.args and libseccomp.number_of(name) is None
    }


def _guard(profile: Seccomp, length: int) -> bytes:
    """Skip the prologue's `length` instructions for foreign architectures, for old numbers, and for x32's."""
    tokens = {libseccomp.ARCHITECTURES[name] for name in profile.architectures if name != "SCMP_ARCH_X32"}
    tokens.add(libseccomp.native_architecture())
    lines = []
    ordered = sorted(tokens)
    for place, token in enumerate(ordered):
        lines.append(libseccomp.instruction(_JEQ, len(ordered) - place, 0, token))
    lines.append(libseccomp.instruction(_JA, 0, 0, 3 + length))
    lines.append(libseccomp.instruction(_LD, 0, 0, _LOAD_NUMBER))
    lines.append(_jump_over(_JGE, 0, length + 1, _FIRST_NEW))
    lines.append(_jump_over(_JGE, length, 0, _X32_BIT))
    return libseccomp.instruction(_LD, 0, 0, _LOAD_ARCHITECTURE) + b"".join(lines)


def _jump_over(code: int, true: int, false: int, value: int) -> bytes:
    if max(true, false) > 255:
        raise InvalidParameter("the seccomp profile names too many new system calls")
    return libseccomp.instruction(code, true, false, value)


def _ret(action: int) -> bytes:
    return libseccomp.instruction(_RET, 0, 0, action)
