"""Addresses for bridges of tests: /24 networks under 172.29.0.0/16, each held by a locked file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DIRECTORY = Path("/tmp/pier-tests-subnets")
ROUTES = Path("/proc/net/fib_trie")


@contextmanager
def subnet() -> Iterator[str]:
    """Hold a free /24 and give its bridge address as `--bip` takes it, such as 172.29.7.1/24."""
    DIRECTORY.mkdir(exist_ok=True)
    for number in range(1, 255):
        descriptor = os.open(DIRECTORY / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        if f"172.29.{number}.1\n" in ROUTES.read_text():  # a killed run has left its bridge
            os.close(descriptor)
            continue
        try:
            yield f"172.29.{number}.1/24"
        finally:
            os.close(descriptor)
        return
    raise AssertionError("every test network is in use")
