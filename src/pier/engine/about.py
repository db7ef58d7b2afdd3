"""What the daemon is, beyond its containers: identity, roots, labels, registries. A SIGHUP replaces it by a new one."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class About:
    """One daemon at one moment. `instance` names its kernel objects, `id` is kept over restarts."""

    id: str
    instance: str
    data_root: Path
    exec_root: Path
    labels: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    downloads: int = 3
    download_attempts: int = 5
    uploads: int = 5
    debug: bool = False
    init_binary: str = ""
    seccomp_profile: str = ""
    bridge: str = ""
    address_pools: tuple[tuple[str, int], ...] = ()
