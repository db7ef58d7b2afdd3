"""The life of a container as a table, and each step of it as a pure function from state to state.

created ──▶ running ◀──▶ paused          restarting: between an end and the next start by policy
            │  ▲   │                     removing:   being taken away, refuses everything else
            ▼  │   ▼                     dead:       could not be taken away whole
   restarting ─┴▶ exited ──▶ running
"""

from msgspec.structs import replace

from pier.engine.record import State, Status
from pier.spec.errors import Conflict

NEXT: dict[Status, frozenset[Status]] = {
    "created": frozenset({"running", "removing"}),
    "running": frozenset({"paused", "restarting", "exited"}),
    "paused": frozenset({"running", "restarting", "exited"}),
    "restarting": frozenset({"running", "exited"}),
    "exited": frozenset({"running", "removing"}),
    "removing": frozenset({"dead"}),
    "dead": frozenset({"removing"}),
}


def _move(state: State, status: Status) -> None:
    if status not in NEXT[state.status]:
        raise Conflict(f"a container that is {state.status} cannot become {status}")


def started(state: State, pid: int, at: int, *, by_policy: bool = False) -> State:
    """Its program runs. A start by a user forgets that a user stopped it and counts restarts anew."""
    _move(state, "running")
    return State(
        status="running",
        pid=pid,
        started_at=at,
        finished_at=state.finished_at,
        restart_count=state.restart_count if by_policy else 0,
    )


def failed_to_start(state: State, exit_code: int, error: str) -> State:
    """The program could not be started: a new container stays «created», as Docker's does, and shows why."""
    status = "exited" if state.status == "restarting" else state.status
    return replace(state, status=status, pid=0, exit_code=exit_code, error=error)


def ended(state: State, exit_code: int, at: int, *, oom_killed: bool = False, error: str = "") -> State:
    """Its program ended and stays so."""
    _move(state, "exited")
    return replace(
        state, status="exited", pid=0, exit_code=exit_code, finished_at=at, oom_killed=oom_killed, error=error
    )


def restarting(state: State, exit_code: int, at: int, *, oom_killed: bool = False, error: str = "") -> State:
    """Its program ended and is to be started again by policy."""
    _move(state, "restarting")
    return replace(
        state,
        status="restarting",
        pid=0,
        exit_code=exit_code,
        finished_at=at,
        oom_killed=oom_killed,
        error=error,
        restart_count=state.restart_count + 1,
    )


def restart_given_up(state: State) -> State:
    """A restart that was to come is called off."""
    _move(state, "exited")
    return replace(state, status="exited")


def paused(state: State) -> State:
    """Its cgroup is frozen."""
    _move(state, "paused")
    return replace(state, status="paused")


def unpaused(state: State) -> State:
    """Its cgroup runs again."""
    _move(state, "running")
    return replace(state, status="running")


def removing(state: State) -> State:
    """It is being taken away."""
    _move(state, "removing")
    return replace(state, status="removing")


def dead(state: State, error: str) -> State:
    """It could not be taken away whole."""
    _move(state, "dead")
    return replace(state, status="dead", error=error)
