"""SecurityOpt, seccomp, AppArmor and sysctls: what a client may ask for, and what it amounts to; pure.

A security module that the client names and the host lacks is an error, not a silence: Docker ignores it.
"""

import re
from dataclasses import dataclass

from pier.engine.oci.facts import Settings
from pier.runtime.facts import HostFacts
from pier.spec.containers import HostConfig
from pier.spec.errors import InvalidParameter
from pier.spec.runtime_config import Seccomp
from pier.spec.seccomp_profile import custom_profile, default_profile

UNCONFINED, BUILTIN = "unconfined", "builtin"
DEFAULT_APPARMOR = "docker-default"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"0", "f", "F", "false", "FALSE", "False"})
# sysctls outside net. and fs.mqueue. that have a namespace of their own
_IPC_SYSCTLS = frozenset(
    f"kernel.{name}" for name in ("msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced")
)
_SYSCTL = re.compile(r"[a-zA-Z0-9_-]+([./][a-zA-Z0-9_-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class SecurityOptions:
    """The parsed SecurityOpt. `seccomp` is a profile's text, "unconfined", or "" for the default."""

    no_new_privileges: bool = False
    apparmor: str = ""
    seccomp: str = ""
    labels: tuple[str, ...] = ()


def parse(host_config: HostConfig, settings: Settings, host: HostFacts) -> SecurityOptions:
    """Read SecurityOpt. InvalidParameter in Docker's words for options that it does not know."""
    no_new_privileges, apparmor, seccomp = settings.no_new_privileges, "", ""
    labels: list[str] = []
    for option in host_config.SecurityOpt or ():
        if option in ("no-new-privileges", "disable"):
            no_new_privileges = no_new_privileges or option == "no-new-privileges"
            continue
        key, value = _split(option)
        if key == "label":
            labels.append(value)
        elif key == "apparmor":
            apparmor = value
        elif key == "seccomp":
            seccomp = value
        elif key == "no-new-privileges" and value in _TRUE | _FALSE:
            no_new_privileges = value in _TRUE
        else:
            raise InvalidParameter(f'invalid --security-opt 2: "{option}"')
    _check_modules(apparmor, labels, host)
    return SecurityOptions(no_new_privileges, apparmor, seccomp, tuple(labels))


def _split(option: str) -> tuple[str, str]:
    for sign in ("=", ":"):
        if sign in option:
            key, _, value = option.partition(sign)
            return key, value
    raise InvalidParameter(f'invalid --security-opt 1: "{option}"')


def _check_modules(apparmor: str, labels: list[str], host: HostFacts) -> None:
    if apparmor not in ("", UNCONFINED) and not host.apparmor:
        raise InvalidParameter(f"AppArmor is not enabled on this host: profile {apparmor} cannot be applied")
    if any(ord(character) < 33 for character in apparmor):
        raise InvalidParameter(f"invalid AppArmor profile name: {apparmor!r}")
    if any(label != "disable" for label in labels):
        raise InvalidParameter("SELinux labels are not supported: only label=disable is")


def seccomp(
    options: SecurityOptions,
    host_config: HostConfig,
    capabilities: tuple[str, ...],
    host: HostFacts,
    settings: Settings,
) -> Seccomp | None:
    """The evaluated profile; None for unconfined and privileged containers."""
    chosen = options.seccomp or ("" if not host_config.Privileged else UNCONFINED) or settings.seccomp_profile
    if chosen == UNCONFINED:
        return None
    if chosen in ("", BUILTIN):
        return default_profile(frozenset(capabilities), host.architecture, host.kernel)
    return custom_profile(chosen, frozenset(capabilities), host.architecture, host.kernel)


def apparmor_profile(options: SecurityOptions, host_config: HostConfig, host: HostFacts) -> str:
    """The profile to run under; "" where the host has no AppArmor."""
    if not host.apparmor:
        return ""
    return options.apparmor or (UNCONFINED if host_config.Privileged else DEFAULT_APPARMOR)


def check_sysctls(host_config: HostConfig) -> None:
    """Only sysctls of a namespace that the container has to itself, only values of one line (CVE-2022-0811)."""
    own_network = host_config.NetworkMode != "host"
    own_ipc = host_config.IpcMode != "host"
    own_uts = host_config.UTSMode != "host"
    for name, value in (host_config.Sysctls or {}).items():
        if not _SYSCTL.fullmatch(name) or ".." in name:
            raise InvalidParameter(f'invalid sysctl name: "{name}"')
        if any(ord(character) < 32 and character != "\t" for character in value):
            raise InvalidParameter(f'invalid value for sysctl "{name}": control characters are not allowed')
        dotted = name.replace("/", ".")
        if dotted.startswith("net."):
            if not own_network:
                raise InvalidParameter(f'sysctl "{name}" not allowed in host network namespace')
        elif dotted in _IPC_SYSCTLS or dotted.startswith("fs.mqueue."):
            if not own_ipc:
                raise InvalidParameter(f'sysctl "{name}" is not allowed in the hosts ipc namespace')
        elif dotted == "kernel.domainname":
            if not own_uts:
                raise InvalidParameter(f'sysctl "{name}" is not allowed in the host uts namespace')
        elif dotted == "kernel.hostname":
            raise InvalidParameter(
                'sysctl "kernel.hostname" is not allowed as it conflicts with the OCI "hostname" field'
            )
        else:
            raise InvalidParameter(f'sysctl "{name}" is not in a separate kernel namespace')
