"""The life of a container as a table."""

import itertools
from collections.abc import Callable

import pytest

from pier.engine import transitions
from pier.engine.record import State, Status
from pier.spec.errors import Conflict

STEPS: dict[Status, Callable[[State], State]] = {
    "running": lambda state: transitions.started(state, 7, 100),
    "exited": lambda state: transitions.ended(state, 3, 200),
    "restarting": lambda state: transitions.restarting(state, 3, 200),
    "paused": transitions.paused,
    "removing": transitions.removing,
    "dead": lambda state: transitions.dead(state, "busy"),
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(transitions.NEXT, STEPS)))
def test_a_step_that_the_table_does_not_have_is_a_conflict(before: Status, after: Status) -> None:
    if after in transitions.NEXT[before]:
        assert STEPS[after](State(status=before)).status == after
    else:
        with pytest.raises(Conflict):
            STEPS[after](State(status=before))


def test_a_start_by_a_user_forgets_the_last_run_and_one_by_policy_counts() -> None:
    ended = transitions.restarting(transitions.started(State(), 7, 100), 3, 200, oom_killed=True)
    assert (ended.restart_count, ended.oom_killed, ended.finished_at) == (1, True, 200)
    by_policy = transitions.started(ended, 8, 300, by_policy=True)
    assert (by_policy.restart_count, by_policy.exit_code, by_policy.oom_killed) == (1, 0, False)
    stopped = transitions.ended(by_policy, 0, 400)
    assert transitions.started(stopped, 9, 500).restart_count == 0


def test_a_failed_start_leaves_a_new_container_created_and_shows_why() -> None:
    failed = transitions.failed_to_start(State(), 127, "not found")
    assert (failed.status, failed.exit_code, failed.error) == ("created", 127, "not found")
    assert transitions.failed_to_start(State(status="restarting"), 128, "x").status == "exited"


def test_a_container_between_two_restarts_counts_as_running() -> None:
    assert State(status="restarting").running
    assert State(status="paused").running
    assert not State(status="exited").running
