"""Programs run by tests: argument lists only, a time limit always, output as text."""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep


@dataclass(frozen=True)
class Result:
    """What a program left: its exit code and what it wrote."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    def ok(self) -> str:
        """Return stdout without its last newline, or fail with all that the program said."""
        assert self.code == 0, self.describe()
        return self.stdout.rstrip("\n")

    def describe(self) -> str:
        return f"{' '.join(self.command)} exited {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


def run(
    command: Sequence[str],
    *,
    stdin: str | bytes | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 120,
    cwd: str | None = None,
) -> Result:
    """Run a program to its end; stdin is empty unless given."""
    source = stdin.encode() if isinstance(stdin, str) else stdin
    done = subprocess.run(
        list(command),
        input=b"" if source is None else source,
        capture_output=True,
        timeout=timeout,
        env=None if environment is None else dict(environment),
        cwd=cwd,
        check=False,
    )
    return Result(
        tuple(command), done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )


def wait_until(condition: Callable[[], object], what: str, *, seconds: float = 45, interval: float = 0.02) -> None:
    """Ask until `condition` holds: for things that the kernel or another program ends in its own time."""
    deadline = monotonic() + seconds
    while not condition():
        assert monotonic() < deadline, f"not within {seconds:g} s: {what}"
        sleep(interval)
