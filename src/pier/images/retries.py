"""How long a transfer waits before it is tried again."""

from pier.registry.failures import Busy
from pier.spec.errors import PierError

_PAUSES = (0.2, 1.0, 2.0, 5.0)  # seconds before the second attempt, the third…
_MAX_PAUSE = 30.0  # whatever a registry asks for


def pause_after(attempt: int, error: PierError) -> float:
    """Seconds to wait after a failure: ours or, where the registry asks for more, its own, within reason."""
    asked = error.after if isinstance(error, Busy) else 0.0
    return max(_PAUSES[min(attempt, len(_PAUSES)) - 1], min(asked, _MAX_PAUSE))


def told(pause: float) -> str:
    """The pause in Docker's words."""
    return f"Retrying in {max(1, round(pause))} second{'s' if pause > 1 else ''}"
