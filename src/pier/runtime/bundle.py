"""OCI bundles: a directory with config.json and a root file system, as a request to the runtime."""

import json
from pathlib import Path
from typing import Any

from pier.runtime.sync import Message
from pier.spec.errors import InvalidParameter, NotFound, NotSupported

_NAMESPACES = (
    {"type": "pid"},
    {"type": "network"},
    {"type": "ipc"},
    {"type": "uts"},
    {"type": "mount"},
    {"type": "cgroup"},
)
# Parts of the document that this runtime would have to pass over.
_NOT_SUPPORTED = (
    "linux.intelRdt", "linux.mountLabel", "linux.personality", "linux.netDevices", "linux.memoryPolicy",
    "linux.seccomp.listenerPath", "process.selinuxLabel", "process.scheduler", "process.ioPriority",
    "process.execCPUAffinity", "solaris", "windows", "vm", "zos",
)  # fmt: skip
_CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]


def load(bundle: Path) -> Message:
    """Read and check config.json; relative paths are made absolute. Raises NotFound, InvalidParameter, NotSupported."""
    try:
        config = json.loads((bundle / "config.json").read_bytes())
    except FileNotFoundError:
        raise NotFound(f"JSON specification file {bundle / 'config.json'} not found") from None
    except ValueError as error:
        raise InvalidParameter(f"{bundle / 'config.json'}: {error}") from None
    config = without_nulls(config)
    if not isinstance(config, dict) or not isinstance(config.get("root"), dict):
        raise InvalidParameter("root in the spec is required")
    check_types(config, "Spec", "config.json")
    if not config.get("process", {}).get("args"):
        raise InvalidParameter("args must not be empty")
    _refuse(config)
    config["root"]["path"] = str(bundle / config["root"].get("path", "rootfs"))
    for mount in config.get("mounts") or []:
        if _is_bind(mount) and not mount.get("source", "").startswith("/"):
            mount["source"] = str(bundle / mount.get("source", ""))
    return config


def _is_bind(mount: Message) -> bool:
    return mount.get("type") == "bind" or bool({"bind", "rbind"} & set(mount.get("options") or []))


def _refuse(config: Message) -> None:
    """What would change what the container may do must not be passed over."""
    for path in _NOT_SUPPORTED:
        value: Any = config
        for name in path.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value:
            raise NotSupported(f"{path} is not supported by this runtime")
    for mount in config.get("mounts") or []:
        if mount.get("uidMappings") or mount.get("gidMappings"):
            raise NotSupported(f"mappings of the mount {mount['destination']} are not supported by this runtime")


def without_nulls(value: Any) -> Any:
    """A document in which what is null is left out, as its makers mean it."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


def check_types(document: Any, form: str, name: str) -> None:
    """See that all is of its type, by the typed `form` of the document `name`. Raises InvalidParameter.

    Imported here: `spec` and the other commands do without the decoder.
    """
    import msgspec

    from pier.spec import runtime_config

    try:
        msgspec.convert(document, getattr(runtime_config, form))
    except msgspec.ValidationError as error:
        raise InvalidParameter(f"invalid {name}: {error}") from None


def cgroup_path(config: Message, identity: str) -> str:
    """The control group that a document asks for, or one by the container's name."""
    path = str((config.get("linux") or {}).get("cgroupsPath") or "")
    if ":" in path:
        raise NotSupported("systemd's control group paths are not supported: use the cgroupfs manager")
    clean = "/".join(part for part in path.split("/") if part not in ("", ".", ".."))
    return f"/{clean or identity}"


def default_spec() -> dict[str, Any]:
    """The document that `spec` writes, as runc's."""
    sets = dict.fromkeys(("bounding", "effective", "permitted"), _CAPABILITIES)
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": True, "user": {"uid": 0, "gid": 0}, "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"], "cwd": "/",
            "capabilities": sets, "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pier",
        "mounts": [
            _mount("/proc", "proc", "proc"),
            _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
            _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
            _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
            _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro"),
        ],
        "linux": {
            "resources": {"devices": [{"allow": False, "access": "rwm"}]},
            "namespaces": list(_NAMESPACES),
            "maskedPaths": [
                "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }  # fmt: skip


def _mount(destination: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": list(options)}
