"""Docker's default profile as data, and profiles in Docker's JSON form."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.spec.capabilities import DEFAULT
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Seccomp
from pier.spec.seccomp_calls import ALWAYS, BY_ARCHITECTURE, BY_CAPABILITY, NEW_NUMBERS
from pier.spec.seccomp_profile import custom_profile, default_profile

KERNEL = (6, 1)


def names(profile: Seccomp, action: str = "SCMP_ACT_ALLOW") -> set[str]:
    return {name for call in profile.syscalls if call.action == action for name in call.names}


def default(*capabilities: str) -> Seccomp:
    return default_profile(frozenset({*DEFAULT, *capabilities}), "amd64", KERNEL)


def test_the_lists_have_the_size_of_dockers() -> None:
    distinct = {*ALWAYS, "socket", "personality", "clone", "clone3", "process_vm_readv", "process_vm_writev", "ptrace"}
    distinct |= {name for _, group in (*BY_ARCHITECTURE, *BY_CAPABILITY) for name in group}
    assert len(ALWAYS) == len(set(ALWAYS)) == 361
    assert len(distinct) == 426


def test_dangerous_calls_need_their_capability() -> None:
    refused = {
        "mount",
        "bpf",
        "unshare",
        "setns",
        "fsopen",
        "keyctl",
        "add_key",
        "userfaultfd",
        "kexec_load",
        "ptrace_",
    }
    assert not names(default()) & refused
    assert {"mount", "bpf", "unshare", "setns", "fsopen"} <= names(default("CAP_SYS_ADMIN"))
    assert not names(default("CAP_SYS_ADMIN")) & {"keyctl", "add_key", "userfaultfd", "kexec_load"}


def test_clone3_answers_enosys_until_namespaces_are_allowed() -> None:
    assert names(default(), "SCMP_ACT_ERRNO") == {"clone3"}
    assert next(call.errno_ret for call in default().syscalls if call.names == ("clone3",)) == 38
    assert names(default("CAP_SYS_ADMIN"), "SCMP_ACT_ERRNO") == set()


def test_ptrace_needs_a_kernel_where_it_cannot_bypass_the_filter() -> None:
    assert "ptrace" in names(default_profile(frozenset(), "amd64", (4, 8)))
    assert "ptrace" not in names(default_profile(frozenset(), "amd64", (4, 7)))


@pytest.mark.parametrize(("architecture", "first"), [("amd64", "SCMP_ARCH_X86_64"), ("arm64", "SCMP_ARCH_AARCH64")])
def test_sub_architectures_come_along(architecture: str, first: str) -> None:
    profile = default_profile(frozenset(), architecture, KERNEL)
    assert profile.architectures[0] == first
    assert len(profile.architectures) > 1


def test_s390_has_the_flags_of_clone_in_its_second_argument() -> None:
    profile = default_profile(frozenset(), "s390x", KERNEL)
    assert next(call.args[0].index for call in profile.syscalls if call.names == ("clone",)) == 1


def evaluate(document: object, capabilities: frozenset[str] = frozenset()) -> Seccomp | None:
    return custom_profile(json.dumps(document), capabilities, "amd64", KERNEL)


def test_includes_and_excludes_are_evaluated() -> None:
    calls = [
        {"names": ["a"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["b"], "action": "SCMP_ACT_ALLOW", "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
        {"names": ["c"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
        {"names": ["d"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.2"}},
        {"name": "e", "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]},
    ]
    document = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": calls}
    plain, powerful = evaluate(document), evaluate(document, frozenset({"CAP_SYS_ADMIN"}))
    assert plain is not None
    assert names(plain) == {"b", "e"}
    assert powerful is not None
    assert names(powerful) == {"a", "e"}


def test_a_profile_without_action_and_calls_filters_nothing() -> None:
    assert evaluate({}) is None


def test_the_architecture_map_is_for_this_machine() -> None:
    entries = [{"architecture": name, "subArchitectures": None} for name in ("SCMP_ARCH_AARCH64", "SCMP_ARCH_X86_64")]
    profile = evaluate({"defaultAction": "SCMP_ACT_ALLOW", "archMap": entries})
    assert profile is not None
    assert profile.architectures == ("SCMP_ARCH_X86_64",)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("no", "Decoding seccomp profile failed"),
        ({"defaultAction": "SCMP_ACT_FOO"}, "invalid seccomp action"),
        ({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["a"]}]}, "Decoding seccomp profile failed"),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"name": "a", "names": ["b"], "action": "SCMP_ACT_LOG"}]},
            "both 'name' and 'names'",
        ),
        (
            {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["x"], "archMap": [{"architecture": "y"}]},
            "both 'architectures' and 'archMap'",
        ),
        ({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/x"}, "not supported"),
    ],
)
def test_a_profile_that_is_none_is_refused(document: object, text: str) -> None:
    with pytest.raises(InvalidParameter, match=text):
        evaluate(document)


@given(st.text(max_size=80))
def test_any_text_is_a_profile_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidParameter):
        custom_profile(text, frozenset(), "amd64", KERNEL)


def test_new_numbers_are_the_kernels() -> None:
    assert (NEW_NUMBERS["openat2"], NEW_NUMBERS["cachestat"], NEW_NUMBERS["mseal"]) == (437, 451, 462)
