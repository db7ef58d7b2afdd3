"""How errors are worded on stderr: those of the daemon carry Docker's prefix, ours stand alone."""

from __future__ import annotations

from pier.client.errors import DaemonError
from pier.spec.errors import PierError

PREFIX = "Error response from daemon: "


def describe(error: PierError) -> str:
    """The message as a user sees it."""
    return PREFIX + error.message if isinstance(error, DaemonError) else error.message
