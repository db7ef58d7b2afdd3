"""`docker update`: what changes, what cannot, and the lists of processors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.engine.oci.cpusets import InvalidList, covers
from pier.engine.oci.resources import linux_resources, updated
from pier.engine.oci.tmpfs import merged_options, mount_options
from pier.spec.containers import HostConfig, Mount, RestartPolicy, TmpfsOptions, Ulimit, UpdateConfig
from pier.spec.errors import Conflict, InvalidParameter
from tests.engine.oci.facts import HOST


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    before = HostConfig(Memory=64 << 20, MemorySwap=128 << 20, CpuShares=5, PidsLimit=7)
    after, warnings = updated(before, UpdateConfig(CpuShares=9, PidsLimit=-1), HOST)
    assert (after.CpuShares, after.PidsLimit, after.Memory) == (9, -1, 64 << 20)
    assert warnings == []
    assert before.CpuShares == 5
    resources = linux_resources(after)
    assert resources.pids
    assert resources.pids.limit == -1


def test_memory_above_the_swap_limit_is_a_conflict() -> None:
    with pytest.raises(Conflict, match="update the memoryswap at the same time"):
        updated(HostConfig(Memory=64 << 20, MemorySwap=128 << 20), UpdateConfig(Memory=256 << 20), HOST)


def test_processors_by_number_and_by_quota_exclude_each_other() -> None:
    with pytest.raises(Conflict, match="CPU Period has already been set"):
        updated(HostConfig(CpuPeriod=100000), UpdateConfig(NanoCpus=10**9), HOST)


def test_a_restart_policy_is_no_choice_for_a_container_that_removes_itself() -> None:
    with pytest.raises(Conflict, match="AutoRemove is enabled"):
        updated(HostConfig(AutoRemove=True), UpdateConfig(RestartPolicy=RestartPolicy("always")), HOST)


def test_what_an_update_cannot_change_is_named() -> None:
    with pytest.raises(InvalidParameter, match="Ulimits of a container cannot be updated"):
        updated(HostConfig(), UpdateConfig(Ulimits=[Ulimit("nofile", 1, 1)]), HOST)


def test_unlimited_swap_is_written_when_memory_is_limited() -> None:
    resources = linux_resources(HostConfig(Memory=64 << 20, MemorySwap=-1))
    assert resources.memory
    assert resources.memory.swap == -1


def test_lists_of_processors() -> None:
    assert covers("0-3", "0,2-3")
    assert covers("0-1,2-3", "1-2")
    assert covers("0", "")
    assert not covers("0-1", "1-2")


@given(st.text(alphabet="0123456789-, ", max_size=20))
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        assert covers("0-8192", text)
    except InvalidList as error:
        assert str(error)  # noqa: PT017


def test_later_tmpfs_options_replace_their_opposites() -> None:
    words = ("noexec", "nosuid", "size=1m", "exec", "size=2m", "shared")
    assert merged_options(words) == ("nosuid", "exec", "size=2m", "shared")
    request = Mount(Type="tmpfs", Target="/x", TmpfsOptions=TmpfsOptions(64 << 20, 0o1770, [["uid", "5"], ["exec"]]))
    assert mount_options(request) == ("mode=1770", "size=64m", "uid=5", "exec")


@pytest.mark.parametrize("word", ["foo", "size=", "bind", "upperdir=/x", "size=1 2"])
def test_an_option_that_tmpfs_does_not_have_is_refused(word: str) -> None:
    with pytest.raises(InvalidParameter, match="Invalid tmpfs option"):
        merged_options((word,))
