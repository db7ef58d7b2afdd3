"""Health checks, decided purely: what is asked, how often, and what the answers make of a container.

Source: Docker's HEALTHCHECK: a success makes a container healthy; so many failures in a row make it unhealthy, and
those within its start period do not count until it was healthy once.
"""

from dataclasses import dataclass, replace

from pier.engine.durations import timestamp
from pier.spec.containers import ContainerConfig

_SECOND = 1_000_000_000
_KEPT_RESULTS = 5
OUTPUT_LIMIT = 4096
TIMED_OUT = -1


@dataclass(frozen=True)
class Check:
    """A check: its command, and its times in ns."""

    command: tuple[str, ...]
    interval: int
    timeout: int
    start_period: int
    start_interval: int
    retries: int


@dataclass(frozen=True)
class Result:
    """One answer; times in ns since 1970."""

    start: int
    end: int
    exit_code: int
    output: str


@dataclass(frozen=True)
class Health:
    """What the answers so far say; status is starting, healthy or unhealthy."""

    status: str = "starting"
    failing_streak: int = 0
    log: tuple[Result, ...] = ()


def check_of(config: ContainerConfig) -> Check | None:
    """The check of a container, Docker's defaults filled in; None where it has none, or NONE."""
    wanted = config.Healthcheck
    words = wanted.Test if wanted else None
    if wanted is None or not words or words[0] == "NONE":
        return None
    shell = tuple(config.Shell or ("/bin/sh", "-c"))
    return Check(
        command=tuple(words[1:]) if words[0] == "CMD" else (*shell, *words[1:]),
        interval=wanted.Interval or 30 * _SECOND,
        timeout=wanted.Timeout or 30 * _SECOND,
        start_period=wanted.StartPeriod,
        start_interval=wanted.StartInterval or 5 * _SECOND,
        retries=wanted.Retries or 3,
    )


def after(health: Health, result: Result, check: Check, started_at: int) -> Health:
    """What a further answer makes of it, for a container that was started at `started_at` (ns)."""
    log = (*health.log, result)[-_KEPT_RESULTS:]
    if result.exit_code == 0:
        return Health("healthy", 0, log)
    if health.status == "starting" and result.start - started_at < check.start_period:
        return replace(health, log=log)
    streak = health.failing_streak + 1
    return Health("unhealthy" if streak >= check.retries else health.status, streak, log)


def wait_of(health: Health, check: Check, now: int, started_at: int) -> int:
    """Nanoseconds until the next question: shorter ones while a container with a start period starts."""
    if health.status == "starting" and now - started_at < check.start_period:
        return check.start_interval
    return check.interval


def health_json(health: Health) -> dict[str, object]:
    """`State.Health` in Docker's JSON."""
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": timestamp(result.start),
                "End": timestamp(result.end),
                "ExitCode": result.exit_code,
                "Output": result.output,
            }
            for result in health.log
        ],
    }
