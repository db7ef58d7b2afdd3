"""What a container sees of its confinement is what a container of dockerd sees, line for line, or it is stricter."""

import re

import pytest

from tests.support.dockerd import Dockerd
from tests.support.engines import Engine
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.peer]

STATUS = "grep -E '^(Uid|Gid|Groups|CapInh|CapPrm|CapEff|CapBnd|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status"
# mount point, options, file system
MOUNTS = """awk '{split($0, half, " - "); split(half[2], kind, " "); print $5, $6, kind[1]}' /proc/self/mountinfo"""
DEVICES = "cd /dev; for d in *; do test -c $d && stat -c '%n %a %u %g %t %T' $d; done"
SYSCTLS = (
    "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range /proc/sys/kernel/shmmax"
)


def look(engine: Engine, script: str, *flags: str) -> set[str]:
    """The lines that the script prints in a container without a network."""
    answer = engine.docker("run", "--rm", "--network", "none", *flags, "busybox", "sh", "-c", script).ok()
    return {re.sub(r"[0-9a-f]{12,64}", "ID", line) for line in answer.splitlines()}


@pytest.mark.parametrize("script", [STATUS, DEVICES, SYSCTLS, "ulimit -a", "umask; cat /proc/self/oom_score_adj"])
@pytest.mark.parametrize("flags", [(), ("-u", "1000:1000"), ("--cap-drop", "ALL", "--cap-add", "SYS_ADMIN")])
def test_a_container_is_confined_as_dockers_is(
    pierd: Pierd, dockerd: Dockerd, script: str, flags: tuple[str, ...]
) -> None:
    assert look(pierd, script, *flags) == look(dockerd, script, *flags)


def test_mounts_are_dockers_or_stricter(pierd: Pierd, dockerd: Dockerd) -> None:
    ours = {line.split()[0]: line for line in look(pierd, MOUNTS)}
    assert len(ours) > 20
    theirs = {line.split()[0]: line for line in look(dockerd, MOUNTS)}
    # masked since Docker 27, read-only with us
    stricter = {path for path in ours if path not in theirs} | {"/sys/fs/cgroup"}
    assert stricter <= {"/proc/interrupts", "/sys/fs/cgroup", "/sys/devices/virtual/powercap"}
    assert {path: line for path, line in ours.items() if path not in stricter} == {
        path: line for path, line in theirs.items() if path not in stricter
    }
    assert ours["/sys/fs/cgroup"].split()[1].startswith("ro,")


@pytest.mark.parametrize("number", [1, 11], ids=["mem", "kmsg"])
def test_a_device_that_is_not_allowed_cannot_be_opened(pierd: Pierd, dockerd: Dockerd, number: int) -> None:
    script = f"mknod /dev/x c 1 {number}; head -c 1 /dev/x 2>&1; true"
    assert look(pierd, script) == look(dockerd, script) == {"head: /dev/x: Operation not permitted"}


def test_kernel_interfaces_refuse_as_dockers_do(pierd: Pierd, dockerd: Dockerd) -> None:
    attempts = (
        "mount -t tmpfs x /tmp",
        "unshare -U true",
        "unshare -m true",
        "echo 1 > /proc/sys/kernel/panic",
        "echo b > /proc/sysrq-trigger",
        "mkdir /sys/fs/cgroup/memory/x",
        "echo 0 > /sys/fs/cgroup/devices/cgroup.procs",
        "cat /proc/kcore",
        "hostname other",
        "date -s 2020-01-01",
        "mknod /dev/y b 254 0 && head -c 1 /dev/y",
    )
    script = "; ".join(f"({attempt}) >/dev/null 2>&1 || echo refused {place}" for place, attempt in enumerate(attempts))
    ours, theirs = look(pierd, script), look(dockerd, script)
    assert theirs <= ours
    assert len(ours) >= len(attempts) - 1
