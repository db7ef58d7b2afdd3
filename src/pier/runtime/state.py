"""The exit record: how a container ended, written so that it is either whole or not there."""

import json
import os
from typing import NamedTuple

from pier.kernel import faults


class Exit(NamedTuple):
    """The end of a container or exec. `finished_at` in ns since the epoch; `error` is empty for an ordinary end."""

    code: int
    oom: bool
    error: str
    finished_at: int


def write_exit(path: str, record: Exit) -> None:
    """Write the record durably: a temporary file, fsync, rename. Raises OSError."""
    temporary = f"{path}.tmp"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, json.dumps(record._asdict()).encode())
        faults.point("exit-record")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(temporary, path)


def read_exit(path: str | os.PathLike[str]) -> Exit | None:
    """The record, or None when there is none that can be read."""
    try:
        with open(path, "rb") as file:
            fields = json.loads(file.read())
        return Exit(int(fields["code"]), bool(fields["oom"]), str(fields["error"]), int(fields["finished_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
