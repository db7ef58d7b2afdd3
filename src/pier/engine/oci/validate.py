"""Whether a create can be done at all: Docker's checks in Docker's order with Docker's texts; pure.

Only what Docker discards with a warning is changed in the request. Source: moby `daemon/container.go`
(verifyContainerSettings), `runconfig/` and `daemon/daemon_unix.go`.
"""

import re
import resource

from pier.engine.oci import devices, limits, mount_checks, network_checks, security, unsupported
from pier.engine.oci.facts import Settings
from pier.engine.oci.namespaces import container_of, is_container
from pier.engine.signals import parse_signal
from pier.runtime.facts import CAPABILITIES, HostFacts
from pier.spec import log_options
from pier.spec.capabilities import normalized
from pier.spec.containers import CreateRequest, HealthConfig, HostConfig, Ulimit
from pier.spec.errors import InvalidParameter, NotFound

_MILLISECOND = 1_000_000
_HOSTNAME = re.compile(r"[a-zA-Z0-9._-]+", re.ASCII)
_LONGEST_HOSTNAME = 64
_ULIMITS = frozenset(name.removeprefix("RLIMIT_").lower() for name in dir(resource) if name.startswith("RLIMIT_"))


def validate(request: CreateRequest, host: HostFacts, settings: Settings) -> list[str]:
    """Docker's warnings. InvalidParameter or NotSupported for the first thing that is wrong."""
    host_config = request.HostConfig or HostConfig()
    if request.config() == _EMPTY:
        raise InvalidParameter("config cannot be empty in order to create a container")
    unsupported.refuse(host_config)
    unsupported.refuse_config(request)
    warnings = network_checks.check(request, host_config)
    _check_config(request)
    _check_host_config(host_config, host, settings)
    limit_warnings = limits.check(host_config, host)
    _check_modes(host_config)
    check_runtime(host_config.Runtime, settings)
    security.parse(host_config, settings, host)
    security.check_sysctls(host_config)
    _check_seccomp(host_config, host, settings)
    return [*limit_warnings, *warnings, *_host_warnings(host_config, host)]


_EMPTY = CreateRequest().config()


def _check_config(request: CreateRequest) -> None:
    if request.WorkingDir and not request.WorkingDir.startswith("/"):
        raise InvalidParameter(
            f"the working directory '{request.WorkingDir}' is invalid, it needs to be an absolute path"
        )
    if request.StopSignal:
        parse_signal(request.StopSignal)
    for entry in request.Env or ():
        if not entry.partition("=")[0]:
            raise InvalidParameter(f"invalid environment variable: {entry}")
    for kind, texts in (
        ("environment variable", request.Env),
        ("command", request.Cmd),
        ("entrypoint", request.Entrypoint),
        ("working directory", [request.WorkingDir]),
        ("user", [request.User]),
    ):
        for text in texts or ():
            if "\0" in text:
                raise InvalidParameter(f"{kind} value can't contain null(\\x00): {text!r}")
    check_hostname(request.Hostname, request.Domainname)
    _check_health(request.Healthcheck)


def check_hostname(hostname: str, domainname: str = "") -> None:
    """A name that the kernel takes and that cannot carry anything else into /etc/hosts (CVE-2022-4318)."""
    if hostname and (len(hostname) > _LONGEST_HOSTNAME or not _HOSTNAME.fullmatch(hostname)):
        raise InvalidParameter(f"invalid hostname format: {hostname}")
    if domainname and (len(domainname) > _LONGEST_HOSTNAME or not _HOSTNAME.fullmatch(domainname)):
        raise InvalidParameter(f"invalid domainname format: {domainname}")


def _check_health(health: HealthConfig | None) -> None:
    if health is None:
        return
    for name in ("Interval", "Timeout", "StartPeriod", "StartInterval"):
        value = getattr(health, name)
        if value != 0 and value < _MILLISECOND:
            raise InvalidParameter(f"{name} in Healthcheck cannot be less than 1ms")
    if health.Retries < 0:
        raise InvalidParameter("Retries in Healthcheck cannot be negative")


def _check_host_config(host_config: HostConfig, host: HostFacts, settings: Settings) -> None:
    if host_config.AutoRemove and host_config.RestartPolicy.Name not in ("", "no"):
        raise InvalidParameter("can't create 'AutoRemove' container with restart policy")
    mount_checks.check(host_config)
    limits.check_restart_policy(host_config.RestartPolicy)
    for field, names in (("CapAdd", host_config.CapAdd), ("CapDrop", host_config.CapDrop)):
        # a capability that this host lacks cannot be added, but may well be dropped
        available = host.capabilities if field == "CapAdd" else frozenset(CAPABILITIES)
        try:
            normalized(names or (), CAPABILITIES, available)
        except InvalidParameter as error:
            raise InvalidParameter(f"invalid {field}: {error.message}") from None
    if "" in (host_config.Annotations or {}):
        raise InvalidParameter("invalid Annotations: the empty string is not permitted as an annotation key")
    for mapping in host_config.Devices or ():
        devices.check_mapping(mapping)
    for text in host_config.DeviceCgroupRules or ():
        devices.parse_rule(text)
    for ulimit in host_config.Ulimits or ():
        _check_ulimit(ulimit, host)
    _check_log(host_config, settings)
    if host_config.VolumeDriver not in ("", "local"):
        raise NotFound(
            f'error looking up volume plugin {host_config.VolumeDriver}: plugin "{host_config.VolumeDriver}" not found'
        )


def _check_ulimit(ulimit: Ulimit, host: HostFacts) -> None:
    name = ulimit.Name.lower()
    if name not in _ULIMITS:
        raise InvalidParameter(f"invalid ulimit type: {ulimit.Name}")
    hard = float("inf") if ulimit.Hard < 0 else ulimit.Hard
    soft = float("inf") if ulimit.Soft < 0 else ulimit.Soft
    if soft > hard:
        raise InvalidParameter(
            f"ulimit soft limit must be less than or equal to hard limit: {ulimit.Soft} > {ulimit.Hard}"
        )
    highest = host.hard_limits.get(name, -1)
    if "CAP_SYS_RESOURCE" not in host.capabilities and 0 <= highest < hard:
        raise InvalidParameter(
            f"ulimit {name}: hard limit {ulimit.Hard} is above this host's {highest}, "
            "and raising it needs CAP_SYS_RESOURCE"
        )


def _check_log(host_config: HostConfig, settings: Settings) -> None:
    driver = host_config.LogConfig.Type or settings.default_log_driver
    if driver not in settings.log_drivers:
        raise InvalidParameter(f'error looking up logging plugin {driver}: plugin "{driver}" not found')
    if driver != "none":
        log_options.check(host_config.LogConfig.Config or {})


def _check_modes(host_config: HostConfig) -> None:
    _check_joinable(host_config.IpcMode, ("", "none", "private", "host", "shareable"), "IPC")
    _check_joinable(host_config.PidMode, ("", "host"), "PID")
    if host_config.ShmSize < 0:
        raise InvalidParameter("SHM size can not be less than 0")
    if host_config.UTSMode not in ("", "host"):
        raise InvalidParameter(f"invalid UTS mode: {host_config.UTSMode}")
    if not -1000 <= host_config.OomScoreAdj <= 1000:
        raise InvalidParameter(f"Invalid value {host_config.OomScoreAdj}, range for oom score adj is [-1000, 1000]")
    if host_config.CgroupnsMode not in ("", "private", "host"):
        raise InvalidParameter(f"invalid cgroup namespace mode: {host_config.CgroupnsMode}")


def _check_joinable(mode: str, words: tuple[str, ...], kind: str) -> None:
    if mode not in words and not (is_container(mode) and container_of(mode)):
        raise InvalidParameter(f"invalid {kind} mode: {mode}")


def _check_seccomp(host_config: HostConfig, host: HostFacts, settings: Settings) -> None:
    """A profile that is none shows at create, not at the first start; for which capabilities it is evaluated is all
    one.
    """
    options = security.parse(host_config, settings, host)
    security.seccomp(options, host_config, (), host, settings)


def _host_warnings(host_config: HostConfig, host: HostFacts) -> list[str]:
    """What this host lacks for what was asked."""
    warnings = []
    if not host.ipv4_forwarding and host_config.NetworkMode not in ("host", "none"):
        warnings.append("IPv4 forwarding is disabled. Networking will not work.")
    if host_config.CgroupnsMode == "private" and not host.cgroup_namespaces:
        warnings.append("Your kernel does not support cgroup namespaces.  Cgroup namespace setting discarded.")
    return warnings


def check_runtime(name: str, settings: Settings) -> None:
    """InvalidParameter for a runtime that is not configured."""
    if name and name not in settings.runtimes:
        raise InvalidParameter(f"unknown or invalid runtime name: {name}")
