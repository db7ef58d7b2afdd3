"""The pid file: says which process the daemon is. Exclusion is the data root's lock; this is for people and scripts."""

import contextlib
import os
from pathlib import Path

from pier.spec.errors import Conflict, SystemFailure


class PidFile:
    """Holds a file with our process id until `remove`."""

    def __init__(self, path: Path) -> None:
        """Raises Conflict when the file names a living daemon."""
        self._path = path
        other = _living(path)
        if other is not None:
            raise Conflict(f"process with PID {other} is still running (pid file {path})")
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
            temporary.write_text(str(os.getpid()))
            temporary.replace(path)
        except OSError as error:
            raise SystemFailure(f"failed to start daemon, pid file {path}: {(error.strerror or '').lower()}") from None

    def remove(self) -> None:
        """Take the file away, if it still names this process."""
        with contextlib.suppress(OSError):
            if self._path.read_text().strip() == str(os.getpid()):
                self._path.unlink()


def _living(path: Path) -> int | None:
    """The process named in the file, if it runs and is a daemon of ours (numbers of processes are used again)."""
    try:
        number = int(path.read_text().strip() or "0")
        command = Path(f"/proc/{number}/cmdline").read_bytes() if 0 < number < 1 << 31 else b""
    except (OSError, ValueError):
        return None
    is_daemon = b"pierd" in command or b"pier.daemon" in command
    return number if is_daemon and number != os.getpid() else None
