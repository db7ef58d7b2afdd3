"""What of /proc and /sys a container may not see or change by default; data and one rule.

Source: moby `daemon/pkg/oci/defaults.go`; thermal_throttle per processor closes a side channel (GHSA-6fw5-f8r9-fgfm).
"""

from pier.runtime.facts import HostFacts

READONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_MASKED = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)


def masked(host: HostFacts) -> tuple[str, ...]:
    """The masked paths on this host."""
    throttles = (f"/sys/devices/system/cpu/cpu{number}/thermal_throttle" for number in range(host.possible_processors))
    return (*_MASKED, *throttles)
