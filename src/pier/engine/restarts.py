"""Restart policies, decided purely: whether a container that ended is started again, and after how long."""

from dataclasses import dataclass, field

_SECOND = 1_000_000_000
FIRST_WAIT = 100_000_000
LONGEST_WAIT = 60 * _SECOND
STEADY = 10 * _SECOND


@dataclass(frozen=True)
class Policy:
    """A restart policy: name is one of «», no, always, unless-stopped, on-failure; 0 retries are unlimited."""

    name: str
    maximum_retries: int = 0


@dataclass
class Backoff:
    """The wait before the next restart in ns: 100 ms, doubled up to a minute, from the start again after 10 s up."""

    wait: int = field(default=0)

    def next(self, ran_for: int) -> int:
        """The wait after a run of so many nanoseconds."""
        if ran_for >= STEADY:
            self.wait = 0
        self.wait = min(self.wait * 2, LONGEST_WAIT) if self.wait else FIRST_WAIT
        return self.wait


def restarts_after_exit(policy: Policy, *, exit_code: int, restart_count: int, stopped_by_user: bool) -> bool:
    """Whether a container whose program ended is to be started again."""
    if stopped_by_user:
        return False
    if policy.name in ("always", "unless-stopped"):
        return True
    if policy.name == "on-failure":
        return exit_code != 0 and (policy.maximum_retries == 0 or restart_count < policy.maximum_retries)
    return False


def restarts_with_daemon(policy: Policy, *, was_running: bool, exit_code: int, stopped_by_user: bool) -> bool:
    """Whether a container that is not running when the daemon starts is to be started.

    `always` comes back even when a user stopped it, which is Docker's difference to `unless-stopped`.
    """
    if policy.name == "always":
        return True
    if policy.name == "unless-stopped":
        return not stopped_by_user
    if policy.name == "on-failure":
        return was_running and exit_code != 0
    return False
