"""Device rules mean the same on v1 files and in the eBPF program, and what the kernel enforces is what they mean."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import ebpf
from pier.runtime import devices
from tests.runtime.bpf import DeviceMachine

DENY_ALL = (False, "a", -1, -1, "rwm")
UNIFIED = Path("/sys/fs/cgroup/unified") if Path("/sys/fs/cgroup/unified").exists() else Path("/sys/fs/cgroup")
Rule = tuple[bool, str, int, int, str]


def machine(*rules: Rule, with_defaults: bool = False) -> DeviceMachine:
    return DeviceMachine(devices.program(devices.allowed(rules, with_defaults=with_defaults)))


def test_everything_starts_denied_without_the_usual_first_rule() -> None:
    assert not machine().allows("c", 1, 3, "r")
    assert not machine((True, "c", 1, 3, "r")).allows("b", 8, 0, "r")


def test_the_defaults_are_runcs() -> None:
    program = machine(DENY_ALL, with_defaults=True)
    for major, minor in ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, 7)):
        assert program.allows("c", major, minor, "rw")
    assert program.allows("b", 8, 0, "m")
    assert program.allows("c", 10, 229, "m")
    for kind, major, minor in (("b", 8, 0), ("c", 10, 229), ("c", 1, 1), ("c", 1, 11), ("c", 5, 1), ("c", 4, 0)):
        assert not program.allows(kind, major, minor, "r")


def test_an_access_must_be_covered_whole() -> None:
    program = machine(DENY_ALL, (True, "c", 10, 200, "r"))
    assert program.allows("c", 10, 200, "r")
    assert not program.allows("c", 10, 200, "rw")
    assert not program.allows("c", 10, 200, "w")


def test_rules_of_one_device_add_up_and_are_taken_away() -> None:
    read, write = (True, "c", 10, 200, "r"), (True, "c", 10, 200, "w")
    assert machine(DENY_ALL, read, write).allows("c", 10, 200, "rw")
    less = machine(DENY_ALL, read, write, (False, "c", 10, 200, "w"))
    assert less.allows("c", 10, 200, "r")
    assert not less.allows("c", 10, 200, "w")


def test_wildcards_match_any_number() -> None:
    program = machine(DENY_ALL, (True, "b", 8, -1, "rwm"), (True, "c", -1, 7, "r"))
    assert program.allows("b", 8, 99, "rwm")
    assert program.allows("c", 4000000000, 7, "r")
    assert not program.allows("b", 9, 99, "r")
    assert not program.allows("c", 8, 99, "r")


def test_allow_all_then_deny_one() -> None:
    program = machine((True, "a", -1, -1, "rwm"), (False, "b", 8, 0, "w"))
    assert program.allows("c", 1, 1, "rwm")
    assert program.allows("b", 8, 0, "r")
    assert not program.allows("b", 8, 0, "w")
    assert not program.allows("b", 8, 0, "rw")


def test_v1_lines_reset_first() -> None:
    rules = (DENY_ALL, (True, "c", 10, 200, "rw"), (True, "b", 8, -1, "r"))
    lines = devices.v1_lines(devices.allowed(rules, with_defaults=False))
    expected = [("devices.deny", "a"), ("devices.allow", "c 10:200 rw"), ("devices.allow", "b 8:* r")]
    assert list(lines) == expected
    everything = devices.v1_lines(devices.allowed(((True, "a", -1, -1, "rwm"),)))
    assert everything == (("devices.allow", "a"),)


NUMBERS = st.integers(min_value=-1, max_value=3)
RULES = st.tuples(
    st.booleans(), st.sampled_from("abc"), NUMBERS, NUMBERS, st.sampled_from(["r", "w", "m", "rw", "rwm"])
)


@given(st.lists(RULES, max_size=6), st.sampled_from("bc"), st.integers(0, 4), st.integers(0, 4), st.sampled_from("rwm"))
def test_the_program_agrees_with_the_set(rules: list[Rule], kind: str, major: int, minor: int, access: str) -> None:
    allowed = devices.allowed(tuple(rules), with_defaults=False)
    matching = any(
        entry_kind == kind and entry_major in (-1, major) and entry_minor in (-1, minor)
        and bits & devices.access_bits(access)
        for (entry_kind, entry_major, entry_minor), bits in allowed.entries.items()
    )  # fmt: skip
    expected = not matching if allowed.default else matching
    assert DeviceMachine(devices.program(allowed)).allows(kind, major, minor, access) == expected


@pytest.fixture
def group() -> Iterator[Path]:
    path = UNIFIED / f"pier-test-devices-{os.getpid()}"
    path.mkdir()
    yield path
    path.rmdir()


@pytest.mark.root
def test_the_kernel_enforces_the_program_and_its_replacement(group: Path) -> None:
    directory = os.open(group, os.O_RDONLY | os.O_DIRECTORY)
    try:
        ebpf.replace(directory, loaded := ebpf.load(devices.program(devices.allowed((DENY_ALL,)))))
        os.close(loaded)
        assert opened(group, "/dev/null", "/dev/zero", "/dev/kmsg") == [True, True, False]
        kmsg = (DENY_ALL, (True, "c", 1, 11, "r"))
        ebpf.replace(directory, loaded := ebpf.load(devices.program(devices.allowed(kmsg, with_defaults=False))))
        os.close(loaded)
        assert len(ebpf.attached(directory)) == 1
        assert opened(group, "/dev/null", "/dev/zero", "/dev/kmsg") == [False, False, True]
    finally:
        os.close(directory)


def opened(group: Path, *paths: str) -> list[bool]:
    """Which of the devices a member of the group can open for reading."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        (group / "cgroup.procs").write_text("0")
        os.write(writer, bytes(can_open(path) for path in paths))
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with open(reader, "rb") as answers:
        return [bool(answer) for answer in answers.read()]


def can_open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    except PermissionError:
        return False
    return True
