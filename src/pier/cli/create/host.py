"""The host's side of a create body: limits, namespaces, security, restart policy, logs."""

from __future__ import annotations

from pier.cli import values
from pier.cli.create import devices, mounts
from pier.cli.failure import Failure
from pier.client import documents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

NUMBERS = {
    "blkio-weight": "BlkioWeight",
    "cpu-period": "CpuPeriod",
    "cpu-quota": "CpuQuota",
    "cpu-rt-period": "CpuRealtimePeriod",
    "cpu-rt-runtime": "CpuRealtimeRuntime",
    "cpu-shares": "CpuShares",
    "cpus": "NanoCpus",
    "kernel-memory": "KernelMemory",
    "memory": "Memory",
    "memory-reservation": "MemoryReservation",
    "memory-swap": "MemorySwap",
    "memory-swappiness": "MemorySwappiness",
    "oom-score-adj": "OomScoreAdj",
    "pids-limit": "PidsLimit",
    "shm-size": "ShmSize",
}
TEXTS = {
    "cgroup-parent": "CgroupParent",
    "cgroupns": "CgroupnsMode",
    "cidfile": "ContainerIDFile",
    "cpuset-cpus": "CpusetCpus",
    "cpuset-mems": "CpusetMems",
    "ipc": "IpcMode",
    "isolation": "Isolation",
    "pid": "PidMode",
    "runtime": "Runtime",
    "userns": "UsernsMode",
    "uts": "UTSMode",
    "volume-driver": "VolumeDriver",
}
SWITCHES = {
    "init": "Init",
    "oom-kill-disable": "OomKillDisable",
    "privileged": "Privileged",
    "publish-all": "PublishAllPorts",
    "read-only": "ReadonlyRootfs",
    "rm": "AutoRemove",
}
LISTS = {
    "device-cgroup-rule": "DeviceCgroupRules",
    "dns": "Dns",
    "dns-option": "DnsOptions",
    "dns-opt": "DnsOptions",
    "dns-search": "DnsSearch",
    "add-host": "ExtraHosts",
    "group-add": "GroupAdd",
    "link": "Links",
    "volumes-from": "VolumesFrom",
}
RATES = {
    "device-read-bps": ("BlkioDeviceReadBps", "Rate"),
    "device-read-iops": ("BlkioDeviceReadIOps", "Rate"),
    "device-write-bps": ("BlkioDeviceWriteBps", "Rate"),
    "device-write-iops": ("BlkioDeviceWriteIOps", "Rate"),
    "blkio-weight-device": ("BlkioWeightDevice", "Weight"),
}


def host_config(flags: Parsed) -> dict[str, Any]:
    """What the flags say about the host's side; only what was given."""
    config: dict[str, Any] = {key: flags.number(name) for name, key in NUMBERS.items() if flags.changed(name)}
    config |= {key: flags.text(name) for name, key in TEXTS.items() if flags.text(name)}
    config |= {key: flags.on(name) for name, key in SWITCHES.items() if flags.changed(name)}
    for name, key in LISTS.items():
        if flags.many(name):
            config[key] = config.get(key, []) + flags.many(name)
    for name, (key, field) in RATES.items():
        if flags.many(name):
            config[key] = devices.rates(flags.many(name), field)
    for name, key in (("cap-add", "CapAdd"), ("cap-drop", "CapDrop")):
        if flags.many(name):
            config[key] = sorted({_capability(item) for item in flags.many(name)})
    for name, key in (("sysctl", "Sysctls"), ("annotation", "Annotations")):
        if flags.many(name):
            config[key] = flags.mapping(name)
    _check(flags)
    return config | _devices(flags) | _mounts(flags) | _security(flags) | _rest(flags)


def _check(flags: Parsed) -> None:
    swappiness = flags.number("memory-swappiness", -1)
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise Failure(f"invalid value: {swappiness}. Valid memory swappiness range is 0-100")
    container = ("container:",)
    modes: tuple[tuple[str, str, tuple[str, ...], tuple[str, ...]], ...] = (
        ("pid", "PID", ("", "host"), container),
        ("uts", "UTS", ("", "host"), ()),
        ("userns", "USER", ("", "host"), ()),
        ("cgroupns", "CGROUP", ("", "host", "private"), ()),
    )
    for name, words, allowed, prefixes in modes:
        value = flags.text(name)
        if value not in allowed and not any(value.startswith(prefix) and value != prefix for prefix in prefixes):
            raise Failure(f"--{name}: invalid {words} mode")


def _capability(name: str) -> str:
    upper = name.strip().upper()
    return upper if upper == "ALL" or upper.startswith("CAP_") else f"CAP_{upper}"


def _devices(flags: Parsed) -> dict[str, Any]:
    mappings, requests = devices.parse(flags.many("device"))
    result: dict[str, Any] = {}
    if mappings:
        result["Devices"] = mappings
    if requests:
        result["DeviceRequests"] = requests
    if flags.many("ulimit"):
        limits = {name: (soft, hard) for name, soft, hard in map(values.parse_ulimit, flags.many("ulimit"))}
        result["Ulimits"] = [
            {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in sorted(limits.items())
        ]
    return result


def _mounts(flags: Parsed) -> dict[str, Any]:
    result: dict[str, Any] = {}
    binds, _ = mounts.parse_volumes(flags.many("volume"))
    if binds:
        result["Binds"] = binds
    if flags.many("mount"):
        result["Mounts"] = [mounts.parse_mount(raw) for raw in flags.many("mount")]
    if flags.many("tmpfs"):
        result["Tmpfs"] = mounts.parse_tmpfs(flags.many("tmpfs"))
    return result


def _security(flags: Parsed) -> dict[str, Any]:
    options: list[str] = []
    result: dict[str, Any] = {}
    for option in flags.many("security-opt"):
        if option == "systempaths=unconfined":
            result |= {"MaskedPaths": [], "ReadonlyPaths": []}
            continue
        options.append(_security_option(option))
    return result | ({"SecurityOpt": options} if options else {})


def _security_option(option: str) -> str:
    name, mark, value = option.partition("=")
    if not mark and name != "no-new-privileges":
        name, mark, value = option.partition(":")
        if not mark:
            raise Failure(f'Invalid --security-opt: "{option}"')
    if name != "seccomp" or value in ("unconfined", "builtin"):
        return option
    try:
        with open(value, encoding="utf-8") as file:
            profile = documents.decode(file.read())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise Failure(f"opening seccomp profile ({value}) failed: open {value}: {reason}") from None
    except ValueError as error:
        raise Failure(f"compacting json for seccomp profile ({value}) failed: {error}") from None
    return "seccomp=" + documents.encode(profile)


def restart_policy(text: str) -> dict[str, Any]:
    """`on-failure[:max]`, `always`, `unless-stopped`, `no`."""
    name, mark, count = text.partition(":")
    if mark and not name:
        raise Failure("invalid restart policy format: no policy provided before colon")
    try:
        maximum = int(count) if mark else 0
    except ValueError:
        raise Failure("invalid restart policy format: maximum retry count must be an integer") from None
    return {"Name": name, "MaximumRetryCount": maximum}


def _rest(flags: Parsed) -> dict[str, Any]:
    policy = restart_policy(flags.text("restart", "no"))
    if flags.on("rm") and policy["Name"] not in ("no", ""):
        raise Failure("conflicting options: cannot specify both --restart and --rm")
    result: dict[str, Any] = {"RestartPolicy": policy}
    driver = flags.text("log-driver")
    if driver == "none" and flags.many("log-opt"):
        raise Failure("invalid logging opts for driver none")
    if driver or flags.many("log-opt"):
        result["LogConfig"] = {"Type": driver, "Config": flags.mapping("log-opt")}
    if any("=" not in option for option in flags.many("storage-opt")):
        raise Failure("invalid storage option")
    if flags.many("storage-opt"):
        result["StorageOpt"] = flags.mapping("storage-opt")
    return result
