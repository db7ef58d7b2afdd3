"""config.json → InitPlan: every step of a start, decided before any is taken. Pure."""

import stat
from typing import NamedTuple

from pier.kernel import capabilities as caps
from pier.kernel import namespaces as ns
from pier.kernel import rlimits
from pier.kernel.cgroup import Layout
from pier.runtime import filesystem as fs
from pier.runtime import hooks, identity, isolation, masks, user_namespaces
from pier.runtime.cgroup_view import CgroupView
from pier.runtime.config import Config, Device, Linux, Mount, Process
from pier.runtime.namespace_plan import Apart, Given, Host, decide, fork
from pier.runtime.options import parse_options
from pier.runtime.steps import Failure, Step
from pier.runtime.sync import Facts

_DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0))
_DEVICE_KINDS = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}
_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)
_INIT = "/sbin/docker-init"
_EXEC_NAMESPACES = ns.CLONE_NEWNS | ns.CLONE_NEWNET | ns.CLONE_NEWIPC | ns.CLONE_NEWUTS | ns.CLONE_NEWCGROUP


class InitPlan(NamedTuple):
    """The steps in order. Failures of `setup` are runc's «error during container init»."""

    before: tuple[Step, ...]
    setup: tuple[Step, ...]
    finish: tuple[Step, ...]


def plan(config: Config, given: Given, host: Host) -> InitPlan:
    """The steps of a container's start. Raises Failure for what cannot be."""
    process, linux = config["process"], config.get("linux", {})
    mounts = _with_init(config.get("mounts", []), given.facts)
    arguments = [_INIT, "--", *process["args"]] if given.facts.get("init_binary") else process["args"]
    apart = decide(linux, given, host)
    before = _before(process, given, host)
    if apart.user:  # raising a limit takes a capability of the host's
        before += tuple(_rlimits(process))
    return InitPlan(
        before=before,
        setup=_setup(config, mounts, given, apart, host),
        finish=_finish(process, arguments, given, host, _hooks(config, given, "startContainer", "created")),
    )


def plan_exec(process: Process, given: Given, host: Host) -> InitPlan:
    """The steps of one more process in a running container."""
    before: list[Step] = [isolation.EnterCgroup(given.cgroup, host.layout)] if given.cgroup else []
    before += [*_attributes(process), isolation.JoinPids(), fork(given, host, 0)]
    setup: list[Step] = [
        isolation.JoinContainer(_EXEC_NAMESPACES | (ns.CLONE_NEWTIME if given.facts.get("time") else 0))
    ]
    if process.get("terminal"):
        setup.append(identity.Terminal(console=False))
    setup += [*_keyring(given), *_streams(process)]
    return InitPlan(tuple(before), tuple(setup), _finish(process, process["args"], given, host))


def _before(process: Process, given: Given, host: Host) -> tuple[Step, ...]:
    steps: list[Step] = []
    if given.cgroup:
        writes = tuple(
            (controller, tuple((file, value) for file, value in choices), required)
            for controller, choices, required in given.facts["writes"]
        )
        program = bytes.fromhex(given.facts["device_program"])
        steps.append(isolation.CreateCgroup(given.cgroup, host.layout, writes, program))
    return (*steps, *_attributes(process))


def _attributes(process: Process) -> list[Step]:
    steps: list[Step] = []
    if (score := process.get("oomScoreAdj")) is not None:
        steps.append(isolation.WriteSelf("oom_score_adj", str(score), "write oom_score_adj"))
    if profile := process.get("apparmorProfile"):
        steps.append(isolation.WriteSelf("attr/apparmor/exec", f"exec {profile}", "apply apparmor profile"))
    return steps


def _setup(config: Config, mounts: list[Mount], given: Given, apart: Apart, host: Host) -> tuple[Step, ...]:
    process, linux = config["process"], config.get("linux", {})
    sources, attached = _mounts(mounts, linux, given, host)
    nodes = [] if any(_is_hosts_dev(mount) for mount in mounts) else _devices(linux.get("devices", []))
    root = _root(config, given.facts)
    if apart.user:
        sources += [user_namespaces.DeviceSource(node.path) for node in nodes]
        steps = [*apart.steps, isolation.SlaveMounts(), *sources, root, user_namespaces.BecomeRoot(), *attached]
        steps += [user_namespaces.BoundDevice(node.path) for node in nodes]
    else:
        steps = [*sources, *apart.steps, isolation.SlaveMounts(), root, *attached, *nodes]
    if nodes:
        steps.append(fs.Links(_LINKS))
    if process.get("terminal"):
        steps.append(identity.Terminal(console=True))
    steps += _names(config)
    steps += [isolation.Sysctl(key, value) for key, value in sorted((linux.get("sysctl") or {}).items())]
    steps += [
        masks.ReadOnly(tuple(linux.get("readonlyPaths") or ())),
        masks.Mask(tuple(linux.get("maskedPaths") or ())),
    ]
    propagation = parse_options([linux["rootfsPropagation"]] if linux.get("rootfsPropagation") else [])
    readonly = bool(config.get("root", {}).get("readonly"))
    if given.facts.get("hooks"):
        steps.append(hooks.AwaitHooks())
    steps += _hooks(config, given, "createContainer", "creating")
    steps.append(fs.PivotRoot(readonly, propagation.propagation, propagation.propagation_tree))
    limits = [] if apart.user else _rlimits(process)
    return (*steps, *_keyring(given), *_streams(process), *limits)


def _names(config: Config) -> list[Step]:
    steps: list[Step] = []
    if (cwd := config["process"].get("cwd", "/")) != "/":
        steps.append(fs.WorkingDirectoryExists(cwd))
    if hostname := config.get("hostname"):
        steps.append(isolation.Hostname(hostname))
    if domainname := config.get("domainname"):
        steps.append(isolation.Domainname(domainname))
    return steps


def _hooks(config: Config, given: Given, point: str, status: str) -> tuple[Step, ...]:
    """The hooks of a point that the first process runs itself."""
    found = tuple((config.get("hooks") or {}).get(point) or ())
    return (hooks.RunHooks(found, {**given.facts.get("state", {}), "status": status}),) if found else ()


def _keyring(given: Given) -> tuple[Step, ...]:
    name = given.facts.get("keyring")
    return (identity.SessionKeyring(name),) if name else ()


def _is_hosts_dev(mount: Mount) -> bool:
    """Whether the host's /dev is bound in, which is left as it is."""
    return mount["destination"].rstrip("/") == "/dev" and parse_options(mount.get("options") or []).bind


def _root(config: Config, facts: Facts) -> Step:
    if "lowers" in facts:
        options = (("index", "off"), ("redirect_dir", "off"), ("metacopy", "off"))
        return fs.OverlayRoot(tuple(facts["lowers"]), facts["upper"], facts["work"], facts["directory"], options)
    return fs.PlainRoot(facts.get("plain") or config["root"]["path"], facts["directory"])


def _with_init(mounts: list[Mount], facts: Facts) -> list[Mount]:
    if not (binary := facts.get("init_binary")):
        return mounts
    options = ["bind", "ro", "private"]
    return [*mounts, {"destination": _INIT, "type": "bind", "source": binary, "options": options}]


def _mounts(mounts: list[Mount], linux: Linux, given: Given, host: Host) -> tuple[list[Step], list[Step]]:
    """The steps that take binds' sources on the host, and those that mount in the container."""
    sources: list[Step] = []
    attached: list[Step] = []
    for number, mount in enumerate(mounts):
        destination, options = mount["destination"], parse_options(mount.get("options") or [])
        kind, source = mount.get("type", ""), mount.get("source", "")
        if options.bind or kind == "bind":
            _check_target(destination)
            sources.append(fs.BindSource(number, source, destination, options.recursive))
            attached.append(fs.Bind(number, source, destination, options))
        elif kind == "cgroup":
            private = any(n["type"] == "cgroup" and not n.get("path") for n in linux.get("namespaces", []))
            view = _cgroup_view(destination, given.cgroup, options.set, host.layout, private=private)
            sources.append(view.sources())
            attached.append(view)
        else:
            if kind != "proc":  # nothing else may stand in procfs's place, nor hide its files (CVE-2025-52881)
                _check_target(destination)
            attached.append(fs.Filesystem(kind, source, destination, options))
    return sources, attached


def _cgroup_view(destination: str, path: str, attributes: int, layout: Layout, *, private: bool) -> CgroupView:
    trees = tuple(layout.v1.items()) if layout.version == 1 else ()
    return CgroupView(destination, path, attributes, layout.unified, trees, private)


def _check_target(destination: str) -> None:
    clean = "/" + "/".join(part for part in destination.split("/") if part not in ("", "."))
    if (clean == "/proc" or clean.startswith("/proc/")) and clean not in fs.PROC_FILES:
        raise Failure(f'"{destination}" cannot be mounted because it is inside /proc')


def _devices(devices: list[Device]) -> list[fs.DeviceNode]:
    steps = [
        fs.DeviceNode(f"/dev/{name}", stat.S_IFCHR | 0o666, _device(major, minor), 0, 0)
        for name, major, minor in _DEVICES
    ]
    for device in devices:
        kind = _DEVICE_KINDS.get(device["type"])
        if kind is None:
            raise Failure(f"{device['type']} is not a valid device type for device {device['path']}")
        mode = kind | (device.get("fileMode", 0o666) & 0o7777)
        number = _device(device.get("major", 0), device.get("minor", 0))
        steps.append(fs.DeviceNode(device["path"], mode, number, device.get("uid", 0), device.get("gid", 0)))
    return steps


def _device(major: int, minor: int) -> int:
    """The kernel's packing of a device number (makedev(3))."""
    return (minor & 0xFF) | (major & 0xFFF) << 8 | (minor & ~0xFF) << 12 | (major & ~0xFFF) << 32


def _rlimits(process: Process) -> list[Step]:
    steps: list[Step] = []
    for limit in process.get("rlimits") or []:
        if limit["type"] not in rlimits.NUMBER:
            raise Failure(f"rlimit {limit['type']!r} is unknown")
        steps.append(identity.Rlimit(rlimits.NUMBER[limit["type"]], limit["soft"], limit["hard"]))
    return steps


def _streams(process: Process) -> list[Step]:
    return [identity.Session((process.get("user") or {}).get("uid", 0))]


def _finish(
    process: Process, arguments: list[str], given: Given, host: Host, last: tuple[Step, ...] = ()
) -> tuple[Step, ...]:
    user = process.get("user") or {}
    locked = bool(process.get("noNewPrivileges"))
    sets = process.get("capabilities")
    steps: list[Step] = [identity.NoNewPrivileges()] if locked else []
    if given.seccomp and not locked:
        steps.append(identity.SeccompFilter(given.facts.get("seccomp_flags", 0)))
    if sets is not None:
        steps.append(identity.BoundingSet(_mask(sets.get("bounding")), host.last_capability))
    groups = tuple(user.get("additionalGids") or ())
    steps.append(identity.User(user.get("uid", 0), user.get("gid", 0), groups, user.get("umask", 0o022)))
    if sets is not None:
        effective, permitted = _mask(sets.get("effective")), _mask(sets.get("permitted"))
        inheritable, ambient = _mask(sets.get("inheritable")), _mask(sets.get("ambient"))
        steps.append(identity.CapabilitySets(effective, permitted, inheritable, ambient))
    steps.append(identity.WorkingDirectory(process.get("cwd") or "/"))
    filter_ = identity.SeccompFilter(given.facts.get("seccomp_flags", 0)) if given.seccomp and locked else None
    steps.append(_execute(process, arguments, (filter_, last), tied=given.tied))
    return tuple(steps)


def _execute(
    process: Process, arguments: list[str], late: tuple[identity.SeccompFilter | None, tuple[Step, ...]], *, tied: bool
) -> Step:
    pairs = [_bytes(entry).partition(b"=") for entry in process.get("env") or []]
    environment = tuple((name, value) for name, sign, value in pairs if sign and name)
    return identity.Execute(tuple(_bytes(argument) for argument in arguments), environment, late[0], tied, late[1])


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _mask(names: list[str] | None) -> int:
    try:
        return caps.mask(names or [])
    except KeyError as error:
        raise Failure(f"unknown capability {error}") from None
