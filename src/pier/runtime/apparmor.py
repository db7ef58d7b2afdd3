"""AppArmor: the profile that containers run under where the host has it, loaded once when the daemon starts.

The rules are those of Docker's `docker-default` (moby/profiles, apparmor), under the same name: a profile that a
Docker beside us has loaded is left alone. Without AppArmor, its parser or securityfs nothing is loaded, as in Docker.
"""

import logging
import os
import subprocess
from pathlib import Path

DEFAULT = "docker-default"
_ENABLED = Path("/sys/module/apparmor/parameters/enabled")
_SECURITY = Path("/sys/kernel/security/apparmor")
_PARSERS = ("/sbin/apparmor_parser", "/usr/sbin/apparmor_parser")
_PATIENCE_SECONDS = 60
_log = logging.getLogger(__name__)

PROFILE = """
#include <tunables/global>

profile %(name)s flags=(attach_disconnected,mediate_deleted) {
  #include <abstractions/base>
  network,
  capability,
  file,
  umount,

  # the engine is unconfined; members of one container may signal and trace each other
  signal (receive) peer=unconfined,
  signal (send,receive) peer=%(name)s,
  ptrace (trace,read,tracedby,readby) peer=%(name)s,

  # below /proc only what belongs to processes, and the limits of shared memory
  deny @{PROC}/* w,
  deny @{PROC}/{[^1-9],[^1-9][^0-9],[^1-9s][^0-9y][^0-9s],[^1-9][^0-9][^0-9][^0-9/]*}/** w,
  deny @{PROC}/sys/[^k]** w,
  deny @{PROC}/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny @{PROC}/sysrq-trigger rwklx,
  deny @{PROC}/kcore rwklx,

  deny mount,

  # below /sys only control groups
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
"""


def ensure_default_profile() -> bool:
    """Whether containers can be confined by the default profile, which is loaded if it is not there yet."""
    parser = next((path for path in _PARSERS if os.path.exists(path)), "")
    if not parser or _text(_ENABLED) != "Y" or not _SECURITY.is_dir() or os.geteuid() != 0:
        return False
    if DEFAULT in loaded():
        return True
    try:
        text = PROFILE % {"name": DEFAULT}
        subprocess.run([parser, "-Kr"], input=text.encode(), capture_output=True, check=True, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        _log.warning("AppArmor is enabled, but the profile %s could not be loaded: %s", DEFAULT, error)
        return False
    return True


def loaded() -> frozenset[str]:
    """The names of the profiles that the kernel has."""
    return frozenset(line.rpartition(" (")[0] for line in _text(_SECURITY / "profiles").splitlines())


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
