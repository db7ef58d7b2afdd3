"""What a crash left in the temporary directory: trees go, parts of downloads stay for a week to be carried on."""

import contextlib
import os
import re
from pathlib import Path

from pier.store import trees

_PART = re.compile(r"blob-[0-9a-f]{64}\Z")
_KEEP = 7 * 24 * 3600.0


def clear_temporary(directory: Path, now: float) -> None:
    """Remove leftovers; `now` in seconds since 1970."""
    for name in os.listdir(directory):
        path = directory / name
        with contextlib.suppress(FileNotFoundError):
            if _PART.match(name) and now - path.stat().st_mtime < _KEEP:
                continue
            trees.remove(path)
