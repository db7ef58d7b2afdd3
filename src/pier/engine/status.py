"""The words of `docker ps` on a container's state."""

from pier.engine.durations import human_duration
from pier.engine.record import State

_HEALTH = {"starting": " (health: starting)", "healthy": " (healthy)", "unhealthy": " (unhealthy)"}


def describe(state: State, now: int, health: str = "none") -> str:
    """«Up 3 minutes (healthy)», «Exited (0) 2 hours ago», as Docker words it at `now` (ns)."""
    match state.status:
        case "running":
            return f"Up {human_duration(now - state.started_at)}{_HEALTH.get(health, '')}"
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
