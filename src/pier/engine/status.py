"""The words of `docker ps` on a container's state."""

from pier.engine.durations import human_duration
from pier.engine.record import State


def describe(state: State, now: int) -> str:
    """«Up 3 minutes (Paused)», «Exited (0) 2 hours ago», as Docker words it at `now` (ns)."""
    match state.status:
        case "running":
            return f"Up {human_duration(now - state.started_at)}"
        case "paused":
            return f"Up {human_duration(now - state.started_at)} (Paused)"
        case "restarting":
            return f"Restarting ({state.exit_code}) {human_duration(now - state.finished_at)} ago"
        case "removing":
            return "Removal In Progress"
        case "dead":
            return "Dead"
        case "created":
            return "Created"
        case "exited":
            return f"Exited ({state.exit_code}) {human_duration(now - state.finished_at)} ago"
