"""Limits become the right writes on v1, hybrid and v2."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel.cgroup import Layout
from pier.runtime import limits
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_resources import (
    BlockIO,
    Cpu,
    DeviceRule,
    HugepageLimit,
    LinuxResources,
    Memory,
    Pids,
    ThrottleDevice,
    WeightDevice,
)

ALL = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
V1 = Layout({name: f"/cg/{name}" for name in ALL}, "", ())
HYBRID = Layout({name: f"/cg/{name}" for name in ALL}, "/cg/unified", ("hugetlb",))
V2 = Layout({}, "/cg", ("cpuset", "cpu", "io", "memory", "hugetlb", "pids"))


def plan(layout: Layout, **parts: object) -> list[tuple[str, str]]:
    resources = msgspec.to_builtins(msgspec.convert(parts, LinuxResources) if not parts else LinuxResources(**parts))  # type: ignore[arg-type]
    return [choices[0] for _, choices, _ in limits.writes(resources, layout)]


def test_nothing_asked_is_nothing_written() -> None:
    assert limits.writes(None, V1) == limits.writes({}, V2) == ()


def test_memory_on_v1_sets_the_limit_before_memory_and_swap() -> None:
    memory = Memory(limit=100, swap=200, reservation=50, swappiness=7, disable_oom_killer=True)
    assert plan(V1, memory=memory) == [
        ("memory.limit_in_bytes", "100"),
        ("memory.memsw.limit_in_bytes", "200"),
        ("memory.soft_limit_in_bytes", "50"),
        ("memory.swappiness", "7"),
        ("memory.oom_control", "1"),
    ]


def test_memory_on_v2_counts_swap_alone() -> None:
    assert plan(V2, memory=Memory(limit=100, swap=300, reservation=50)) == [
        ("memory.swap.max", "200"),
        ("memory.max", "100"),
        ("memory.low", "50"),
    ]
    assert plan(V2, memory=Memory(limit=100, swap=-1))[0] == ("memory.swap.max", "max")
    assert plan(V2, memory=Memory(limit=-1)) == [("memory.max", "max")]


@pytest.mark.parametrize(
    "parts",
    [
        {"memory": Memory(limit=100, swap=50)},
        {"memory": Memory(disable_oom_killer=True)},
        {"cpu": Cpu(realtime_runtime=5)},
        {"unified": {"../memory.max": "1"}},
        {"unified": {"release_agent": "1"}},
    ],
)
def test_what_v2_cannot_do_is_refused(parts: dict[str, object]) -> None:
    with pytest.raises(InvalidParameter):
        plan(V2, **parts)


def test_cpu_on_v1_and_v2() -> None:
    cpu = Cpu(shares=512, quota=50000, period=100000, cpus="0-1", mems="0")
    assert plan(V1, cpu=cpu) == [
        ("cpu.shares", "512"),
        ("cpu.cfs_period_us", "100000"),
        ("cpu.cfs_quota_us", "50000"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
    ]
    assert plan(V2, cpu=cpu) == [
        ("cpu.weight", "59"),
        ("cpu.max", "50000 100000"),
        ("cpuset.cpus", "0-1"),
        ("cpuset.mems", "0"),
    ]
    assert plan(V2, cpu=Cpu(quota=-1, period=5000)) == [("cpu.max", "max 5000")]


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 100), (262144, 10000), (1, 1), (10**9, 10000)])
def test_shares_and_weight_meet_at_runcs_points(shares: int, weight: int) -> None:
    assert limits.weight_of_shares(shares) == weight


@given(st.integers(2, 262144), st.integers(2, 262144))
def test_more_shares_are_never_less_weight(first: int, second: int) -> None:
    low, high = sorted((first, second))
    assert 1 <= limits.weight_of_shares(low) <= limits.weight_of_shares(high) <= 10000


def test_pids_without_limit_is_max() -> None:
    assert plan(V1, pids=Pids(limit=-1)) == plan(V2, pids=Pids(limit=0)) == [("pids.max", "max")]
    assert plan(HYBRID, pids=Pids(limit=5)) == [("pids.max", "5")]


def test_block_io_on_v1_and_v2() -> None:
    block_io = BlockIO(
        weight=500,
        weight_device=(WeightDevice(major=8, minor=0, weight=10),),
        throttle_read_bps_device=(ThrottleDevice(major=8, minor=0, rate=1000),),
        throttle_write_iops_device=(ThrottleDevice(major=8, minor=16, rate=5),),
    )
    assert plan(V1, block_io=block_io) == [
        ("blkio.weight", "500"),
        ("blkio.weight_device", "8:0 10"),
        ("blkio.throttle.read_bps_device", "8:0 1000"),
        ("blkio.throttle.write_iops_device", "8:16 5"),
    ]
    assert plan(V2, block_io=block_io) == [
        ("io.bfq.weight", "500"),
        ("io.bfq.weight", "8:0 10"),
        ("io.max", "8:0 rbps=1000"),
        ("io.max", "8:16 wiops=5"),
    ]


def test_huge_pages_are_written_where_their_controller_is() -> None:
    pages = (HugepageLimit(page_size="2MB", limit=7),)
    assert plan(HYBRID, hugepage_limits=pages) == [("hugetlb.2MB.max", "7")]


def test_raw_v2_files_pass_on_v2_only() -> None:
    assert plan(V2, unified={"memory.high": "5"}) == [("memory.high", "5")]
    with pytest.raises(InvalidParameter):
        plan(HYBRID, unified={"memory.high": "5"})


def test_device_rules_are_lines_on_v1_and_a_program_on_v2() -> None:
    resources = msgspec.to_builtins(LinuxResources(devices=(DeviceRule(allow=False, access="rwm"),)))
    writes, program = limits.device_plan(resources, V1)
    assert writes[0] == ("devices", (("devices.deny", "a"),), True)
    assert program == b""
    writes, program = limits.device_plan(resources, V2)
    assert writes == ()
    assert len(program) % 8 == 0


def test_a_malformed_device_rule_is_refused() -> None:
    for rule in ({"allow": True, "type": "x"}, {"allow": True, "type": "c", "access": "q"}):
        with pytest.raises(InvalidParameter):
            limits.device_plan({"devices": [rule]}, V1)
