"""Compiled filters say what the profile means, on every architecture that the process could switch to."""

import ctypes
import errno
import os
from pathlib import Path

import pytest

from pier.kernel import libseccomp, seccomp
from pier.runtime.seccomp import CompiledFilter, FilterCache, compile_filter
from pier.spec.capabilities import DEFAULT
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Seccomp, Syscall, SyscallArgument
from pier.spec.seccomp_profile import default_profile
from tests.runtime.bpf import ALLOW, ERRNO, I386, X32_BIT, X86_64, verdict

EPERM, ENOSYS = ERRNO | 1, ERRNO | 38
SOCKET, PERSONALITY, CLONE, UNSHARE, MOUNT, READ, KEYCTL = 41, 135, 56, 272, 165, 0, 250
NATIVE = pytest.mark.skipif(os.uname().machine != "x86_64", reason="the numbers below are those of x86_64")


@pytest.fixture(scope="module")
def default() -> bytes:
    return compile_filter(default_profile(frozenset(DEFAULT), "amd64", (6, 1))).program


@NATIVE
@pytest.mark.parametrize("number", [READ, 1, 257, 59, 435 - 1, 439, 441])
def test_ordinary_calls_pass(default: bytes, number: int) -> None:
    assert verdict(default, number) == ALLOW


@NATIVE
@pytest.mark.parametrize("number", [UNSHARE, MOUNT, KEYCTL, 321, 323, 175, 246, 425, 430, 308])
def test_dangerous_calls_answer_eperm(default: bytes, number: int) -> None:
    assert verdict(default, number) == EPERM


@NATIVE
def test_clone_passes_until_it_makes_a_namespace(default: bytes) -> None:
    assert verdict(default, CLONE, (0x11,)) == ALLOW
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(default, CLONE, (0x11 | flag,)) == EPERM


@NATIVE
def test_clone3_and_calls_of_the_future_answer_enosys(default: bytes) -> None:
    assert verdict(default, 435) == ENOSYS
    assert verdict(default, 467) == ENOSYS
    assert verdict(default, 600) == ENOSYS
    assert verdict(default, 460) == EPERM, "known to the profile, and not allowed"


@NATIVE
@pytest.mark.parametrize("number", [451, 452, 453, 454, 457, 462, 463, 466])
def test_calls_that_an_old_libseccomp_cannot_name_pass(default: bytes, number: int) -> None:
    assert verdict(default, number) == ALLOW
    assert verdict(default, number, architecture=I386) == ALLOW


@NATIVE
@pytest.mark.parametrize("value", [0, 8, 0x20000, 0x20008, 0xFFFFFFFF])
def test_personality_has_five_values(default: bytes, value: int) -> None:
    assert verdict(default, PERSONALITY, (value,)) == ALLOW
    assert verdict(default, PERSONALITY, (value | 0x0040000,)) == (ALLOW if value == 0xFFFFFFFF else EPERM)


@NATIVE
def test_other_architectures_are_filtered_too(default: bytes) -> None:
    assert verdict(default, 310, architecture=I386) == EPERM, "unshare of i386"
    assert verdict(default, 3, architecture=I386) == ALLOW, "read of i386"
    assert verdict(default, UNSHARE | X32_BIT) == EPERM
    assert verdict(default, 999 | X32_BIT) != ALLOW
    assert verdict(default, READ, architecture=0x12345678) != ALLOW


def build(*calls: Syscall, default: str = "SCMP_ACT_ALLOW", flags: tuple[str, ...] = ()) -> CompiledFilter:
    return compile_filter(Seccomp(default_action=default, syscalls=calls, flags=flags))


@NATIVE
def test_conditions_on_one_argument_are_alternatives_and_on_several_all_hold() -> None:
    def equal(index: int, value: int) -> SyscallArgument:
        return SyscallArgument(index=index, value=value, op="SCMP_CMP_EQ")

    either = Syscall(names=("socket",), action="SCMP_ACT_ERRNO", args=(equal(0, 1), equal(0, 2)))
    both = Syscall(names=("socket",), action="SCMP_ACT_ERRNO", args=(equal(0, 1), equal(1, 2)))
    assert [verdict(build(either).program, SOCKET, (family,)) for family in (1, 2, 3)] == [EPERM, EPERM, ALLOW]
    assert [verdict(build(both).program, SOCKET, (1, kind)) for kind in (1, 2)] == [ALLOW, EPERM]


@NATIVE
def test_actions_and_their_values() -> None:
    calls = (
        Syscall(names=("mount",), action="SCMP_ACT_ERRNO", errno_ret=13),
        Syscall(names=("unshare",), action="SCMP_ACT_KILL_PROCESS"),
        Syscall(names=("keyctl",), action="SCMP_ACT_LOG"),
        Syscall(names=("no_such_call",), action="SCMP_ACT_ERRNO"),
    )
    program = build(*calls, flags=("SECCOMP_FILTER_FLAG_LOG",))
    found = [verdict(program.program, number) for number in (MOUNT, UNSHARE, KEYCTL, READ)]
    assert found == [ERRNO | 13, libseccomp.KILL_PROCESS, libseccomp.LOG, ALLOW]
    assert program.flags == seccomp.FLAG_LOG


@pytest.mark.parametrize(
    "profile",
    [
        Seccomp(default_action="SCMP_ACT_NOTIFY"),
        Seccomp(default_action="SCMP_ACT_ERRNO", default_errno_ret=70000),
        Seccomp(default_action="SCMP_ACT_ALLOW", architectures=("SCMP_ARCH_Z80",)),
        Seccomp(default_action="SCMP_ACT_ALLOW", flags=("SECCOMP_FILTER_FLAG_X",)),
    ],
)
def test_a_profile_that_cannot_be_compiled_is_refused(profile: Seccomp) -> None:
    with pytest.raises(InvalidParameter):
        compile_filter(profile)


def test_the_cache_survives_a_restart_and_distrusts_damage(tmp_path: Path) -> None:
    profile = default_profile(frozenset(), "amd64", (6, 1))
    first = FilterCache(tmp_path / "cache").compile(profile)
    (file,) = (tmp_path / "cache").iterdir()
    assert (tmp_path / "cache").stat().st_mode & 0o77 == 0
    stamp = file.stat().st_mtime_ns
    assert FilterCache(tmp_path / "cache").compile(profile) == first
    assert file.stat().st_mtime_ns == stamp
    file.write_bytes(file.read_bytes()[:-8])
    assert FilterCache(tmp_path / "cache").compile(profile) == first


def test_profiles_of_other_capabilities_are_other_filters() -> None:
    cache = FilterCache()
    powerful = default_profile(frozenset({"CAP_SYS_ADMIN"}), "amd64", (6, 1))
    assert cache.compile(powerful) != cache.compile(default_profile(frozenset(), "amd64", (6, 1)))


@NATIVE
@pytest.mark.root
def test_the_kernel_enforces_the_filter(default: bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            seccomp.load(default)
            libc.unshare(0x10000000)
            refused = ctypes.get_errno() == errno.EPERM
            libc.syscall(600)
            future = ctypes.get_errno() == errno.ENOSYS
            libc.syscall(SOCKET, ctypes.c_uint64(1 << 32 | 38), 5, 0)
            hidden = ctypes.get_errno() == errno.EPERM
            code = 0 if refused and future and hidden and os.getpid() > 0 else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_native_architecture_is_filtered_even_when_none_is_named() -> None:
    if libseccomp.native_architecture() == X86_64:
        blocked = Syscall(names=("mount",), action="SCMP_ACT_ERRNO")
        assert verdict(build(blocked).program, MOUNT) == EPERM
