"""Restart policies and their waits."""

import pytest

from pier.engine.restarts import LONGEST_WAIT, STEADY, Backoff, Policy, restarts_after_exit, restarts_with_daemon

MS = 1_000_000


def test_waits_double_up_to_a_minute_and_begin_again_after_a_steady_run() -> None:
    backoff = Backoff()
    waits = [backoff.next(0) for _ in range(12)]
    assert waits[:4] == [100 * MS, 200 * MS, 400 * MS, 800 * MS]
    assert waits[-1] == LONGEST_WAIT
    assert backoff.next(STEADY) == 100 * MS


@pytest.mark.parametrize(
    ("policy", "code", "count", "expected"),
    [
        (Policy(""), 1, 0, False),
        (Policy("no"), 1, 0, False),
        (Policy("always"), 0, 99, True),
        (Policy("unless-stopped"), 0, 99, True),
        (Policy("on-failure"), 0, 0, False),
        (Policy("on-failure"), 1, 99, True),
        (Policy("on-failure", 3), 1, 2, True),
        (Policy("on-failure", 3), 1, 3, False),
    ],
)
def test_a_policy_decides_after_an_exit(policy: Policy, code: int, count: int, expected: bool) -> None:
    assert restarts_after_exit(policy, exit_code=code, restart_count=count, stopped_by_user=False) is expected
    assert not restarts_after_exit(policy, exit_code=code, restart_count=count, stopped_by_user=True)


@pytest.mark.parametrize(
    ("policy", "stopped", "expected"),
    [
        (Policy("always"), True, True),
        (Policy("unless-stopped"), True, False),
        (Policy("unless-stopped"), False, True),
        (Policy("on-failure"), False, True),
        (Policy("no"), False, False),
    ],
)
def test_only_always_comes_back_with_the_daemon_after_a_stop(policy: Policy, stopped: bool, expected: bool) -> None:
    decided = restarts_with_daemon(policy, was_running=True, exit_code=1, stopped_by_user=stopped)
    assert decided is expected
