"""A container's control group on the real kernel: made, limited, entered, frozen, killed, removed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pier.kernel import cgroup
from pier.runtime import limits
from pier.runtime.cgroups import ContainerCgroup
from pier.spec.runtime_resources import Cpu, DeviceRule, LinuxResources, Memory, Pids

pytestmark = pytest.mark.root
# says that it runs, then waits to be ended
WAITER = "import os, signal; os.write(1, b'.'); signal.pause()"
# forks as fast as it can: what a kill must catch
FORKER = """
import os, signal
os.write(1, b'.')
for _ in range(12):
    os.fork()
    if os.getpid() % 2:
        break
signal.pause()
"""
BOMB = """
import os
os.write(1, b'.')
try:
    [os.fork() for _ in range(5)]
except BlockingIOError:
    os._exit(9)
"""


@pytest.fixture
def group() -> Iterator[ContainerCgroup]:
    parent = ContainerCgroup(f"/pier-test-{os.getpid()}")
    yield ContainerCgroup(f"{parent.path}/container")
    ContainerCgroup(f"{parent.path}/container").kill()
    parent.remove()
    assert not parent.exists()


def create(group: ContainerCgroup, **parts: object) -> None:
    resources = msgspec.to_builtins(LinuxResources(**parts))  # type: ignore[arg-type]
    devices, program = limits.device_plan(resources, group.layout)
    group.create((*limits.writes(resources, group.layout), *devices), program)


def start(group: ContainerCgroup, script: str) -> subprocess.Popen[bytes]:
    """Run a script as a member of the group, and wait until it has said that it runs."""
    join = "".join(
        f"open({point + group.path + '/cgroup.procs'!r}, 'w').write('0');" for point in group.layout.mount_points()
    )
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", f"{join}\n{script}"], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.read(1) == b"."
    return child


def finish(child: subprocess.Popen[bytes]) -> int:
    code = child.wait(timeout=20)
    assert child.stdout is not None
    child.stdout.close()
    return code


def value(group: ContainerCgroup, controller: str, file: str) -> str:
    return Path(group.layout.directory(controller, group.path), file).read_text().strip()


def test_limits_are_in_force_in_every_tree(group: ContainerCgroup) -> None:
    create(
        group,
        memory=Memory(limit=64 << 20),
        cpu=Cpu(shares=512, quota=50000, period=100000),
        pids=Pids(limit=7),
        devices=(DeviceRule(allow=False, access="rwm"),),
    )
    v1 = group.layout.version == 1
    assert value(group, "pids", "pids.max") == "7"
    assert value(group, "memory", "memory.limit_in_bytes" if v1 else "memory.max") == str(64 << 20)
    if v1:
        assert value(group, "cpu", "cpu.cfs_quota_us") == "50000"
        assert "c 1:3 rwm" in value(group, "devices", "devices.list")
        assert "a *:* rwm" not in value(group, "devices", "devices.list")
    for point in group.layout.mount_points():
        assert Path(point + group.path).is_dir()


def test_a_limit_that_the_kernel_refuses_leaves_nothing_behind(group: ContainerCgroup) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        create(group, cpu=Cpu(cpus="not-a-list"))
    assert not group.exists()


def test_a_leftover_empty_group_is_replaced(group: ContainerCgroup) -> None:
    create(group, pids=Pids(limit=7))
    create(group)
    assert value(group, "pids", "pids.max") == "max"


def test_the_pids_limit_stops_a_fork_bomb(group: ContainerCgroup) -> None:
    create(group, pids=Pids(limit=3))
    child = start(group, BOMB)
    assert finish(child) == 9
    assert len(group.processes()) <= 3


def test_every_member_is_killed_also_those_forked_meanwhile(group: ContainerCgroup) -> None:
    create(group, pids=Pids(limit=50))
    child = start(group, FORKER)
    group.kill()
    assert finish(child) == -signal.SIGKILL
    assert group.processes() == []
    assert group.is_empty()
    group.remove()
    assert not group.exists()


def test_members_freeze_and_thaw_and_die_frozen(group: ContainerCgroup) -> None:
    create(group)
    child = start(group, WAITER)
    assert not group.frozen()
    assert not group.is_empty()
    group.freeze()
    assert group.frozen()
    group.thaw()
    assert not group.frozen()
    group.freeze()
    group.kill()
    assert finish(child) == -signal.SIGKILL


def test_running_out_of_memory_is_counted(group: ContainerCgroup) -> None:
    create(group, memory=Memory(limit=16 << 20, swap=16 << 20))
    child = start(
        group, "import os\nos.write(1, b'.')\nhog = bytearray(200 << 20)\nhog[::4096] = b'x' * len(hog[::4096])"
    )
    assert finish(child) == -signal.SIGKILL
    assert group.oom_count() == 1


def test_limits_change_on_a_living_group_up_and_down(group: ContainerCgroup) -> None:
    create(group, memory=Memory(limit=64 << 20, swap=128 << 20))
    for limit in (256 << 20, 32 << 20):
        memory = msgspec.to_builtins(LinuxResources(memory=Memory(limit=limit, swap=2 * limit)))
        group.update(limits.writes(memory, group.layout))
        file = "memory.limit_in_bytes" if group.layout.version == 1 else "memory.max"
        assert value(group, "memory", file) == str(limit)


def test_a_group_that_is_gone_is_empty_and_removed_again(group: ContainerCgroup) -> None:
    assert group.processes() == []
    assert group.is_empty()
    group.kill()
    group.remove()
    assert group.oom_count() == 0


def test_a_group_with_members_is_not_removed(group: ContainerCgroup) -> None:
    create(group)
    child = start(group, WAITER)
    with pytest.raises(OSError, match="busy"):
        group.remove()
    group.kill()
    finish(child)


@pytest.mark.parametrize("path", ["", "/", "relative", "/a/../../b"])
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="invalid control group path"):
        ContainerCgroup(path, cgroup.Layout({}, "/nowhere", ()))
