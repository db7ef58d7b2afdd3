"""Docker's defaults of a create, written into the HostConfig so that inspect shows what holds.

Source: moby `daemon/daemon_unix.go` (adaptContainerSettings) and `daemon/create_unix.go`.
"""

from pier.engine.oci import paths
from pier.engine.oci.facts import Settings
from pier.runtime.facts import HostFacts
from pier.spec.containers import HostConfig

DEFAULT_NETWORK = "bridge"


def adapt(host_config: HostConfig, host: HostFacts, settings: Settings) -> None:
    """Fill in what the client left open, in place; the request has been validated."""
    if host_config.Memory > 0 and host_config.MemorySwap == 0:
        host_config.MemorySwap = host_config.Memory * 2 if "memory.swap" in host.controllers else -1
    host_config.ShmSize = host_config.ShmSize or settings.shm_size
    host_config.IpcMode = host_config.IpcMode or settings.ipc_mode
    host_config.CgroupnsMode = host_config.CgroupnsMode or cgroupns_mode(host_config, host, settings)
    host_config.NetworkMode = _network_mode(host_config.NetworkMode)
    host_config.Runtime = host_config.Runtime or settings.default_runtime
    host_config.RestartPolicy.Name = host_config.RestartPolicy.Name or "no"
    if host_config.OomKillDisable is None and host.cgroup_version == 1:
        host_config.OomKillDisable = False
    _adapt_log(host_config, settings)
    _adapt_paths(host_config, host)


def cgroupns_mode(host_config: HostConfig, host: HostFacts, settings: Settings) -> str:
    """Docker's default: private on cgroup v2, the host's on v1."""
    if host_config.Privileged and host.cgroup_version == 1:
        return "host"
    return settings.cgroupns_mode or ("private" if host.cgroup_version == 2 else "host")


def _network_mode(mode: str) -> str:
    return DEFAULT_NETWORK if mode in ("", "default") else mode


def _adapt_log(host_config: HostConfig, settings: Settings) -> None:
    log = host_config.LogConfig
    if not log.Type:
        log.Type = settings.default_log_driver
    own = log.Config or {}
    log.Config = {**settings.log_options, **own} if log.Type == settings.default_log_driver else own


def _adapt_paths(host_config: HostConfig, host: HostFacts) -> None:
    """An empty list is the client's `systempaths=unconfined`; no list means the defaults."""
    if host_config.Privileged:
        return
    if host_config.MaskedPaths is None:
        host_config.MaskedPaths = list(paths.masked(host))
    if host_config.ReadonlyPaths is None:
        host_config.ReadonlyPaths = list(paths.READONLY)
