"""Programs of this machine that base images are made with: run to their end, or as a stream."""

from __future__ import annotations

import os
import subprocess
import tempfile

from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PIECE = 1 << 18


def run(command: list[str], what: str, directory: str | None = None) -> str:
    """What a program prints. Failure, with its last words, when it fails or is not there."""
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError:
        raise Failure(f"{what}: {command[0]} is not installed") from None
    if result.returncode:
        detail = (result.stderr.strip() or result.stdout.strip()).splitlines()[-3:]
        raise Failure(f"{what} failed: " + "; ".join(detail))
    return result.stdout


def stream(command: list[str], environment: Mapping[str, str], explain: Callable[[str], str]) -> Iterator[bytes]:
    """The standard output of a program.

    Its failure, worded by `explain` from what it said on stderr, ends the stream before the archive is whole; whoever
    stops reading ends the program, which then takes its own temporary files away.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                command, bufsize=0, stdout=subprocess.PIPE, stderr=said, env={**os.environ, **environment}
            )
        except FileNotFoundError:
            raise Failure(f"{command[0]} is not installed: apt-get install {command[0]}") from None
        assert process.stdout is not None
        try:
            while data := process.stdout.read(PIECE):
                yield data
            failed = process.wait() != 0
        finally:
            process.stdout.close()
            if process.poll() is None:
                process.terminate()
                process.wait()
        if failed:
            said.seek(0)
            raise Failure(explain(said.read().decode("utf-8", "replace")))
