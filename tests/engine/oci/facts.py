"""A host and a container for tests of the configuration: all at its default, and what a test changes."""

from typing import Any

from pier.engine.oci import defaults
from pier.engine.oci.facts import ContainerFacts, Settings
from pier.kernel.capabilities import NAMES
from pier.runtime.accounts import Accounts
from pier.runtime.facts import HostFacts
from pier.spec.containers import ContainerConfig, HostConfig

ALL = frozenset(
    {
        "memory", "memory.swap", "memory.reservation", "memory.swappiness", "memory.oom_control", "cpu", "cpu.shares",
        "cpu.cfs", "cpu.realtime", "cpuset", "pids", "blkio.weight", "blkio.weight_device", "blkio.throttle", "devices",
    }
)  # fmt: skip
HOST = HostFacts(
    architecture="amd64",
    kernel=(6, 1),
    processors=2,
    possible_processors=2,
    controllers=ALL,
    cpus="0-1",
    mems="0",
    capabilities=frozenset(NAMES) - {"CAP_SYS_RESOURCE"},
    sysctls=frozenset({"net.ipv4.ping_group_range", "net.ipv4.ip_unprivileged_port_start"}),
    hard_limits={"nofile": 1024, "nproc": -1},
)
SETTINGS = Settings()
PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/home/app:/bin/sh\n"
GROUP = b"root:x:0:\nwheel:x:10:app,other\napp:x:1001:\nvideo:x:44:other,app\n"


def facts(
    config: dict[str, Any] | None = None, host_config: dict[str, Any] | None = None, **changes: Any
) -> ContainerFacts:
    """A container's facts; the HostConfig has Docker's defaults filled in."""
    asked = HostConfig(**(host_config or {}))
    defaults.adapt(asked, changes.pop("host", HOST), SETTINGS)
    values: dict[str, Any] = {
        "id": "a" * 64,
        "config": ContainerConfig(**({"Hostname": "box", "Cmd": ["sh"]} | (config or {}))),
        "host_config": asked,
        "path": "sh",
        "args": ("-c", "true"),
        "root": "/merged",
        "cgroup": "/pier/a",
        "accounts": Accounts(PASSWD, GROUP),
        "hosts_path": "/c/hosts",
        "hostname_path": "/c/hostname",
        "resolv_conf_path": "/c/resolv.conf",
    }
    return ContainerFacts(**(values | changes))
