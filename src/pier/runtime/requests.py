"""What the engine asks of the runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pier.runtime.foreign import ForeignRuntime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.runtime.terminal import Terminal


class OverlayRoot(msgspec.Struct, frozen=True):
    """A root of image layers, lowest first, under a writable directory."""

    lowers: tuple[str, ...]
    upper: str
    work: str


class PlainRoot(msgspec.Struct, frozen=True):
    """A root that is a directory."""

    path: str


class LogTarget(msgspec.Struct, frozen=True):
    """The json-file log: `max_size` in bytes (0: no limit), `max_file` files are kept."""

    path: str
    max_size: int = 0
    max_file: int = 1
    enabled: bool = True


class Attachment(msgspec.Struct, frozen=True):
    """A client's descriptor and what it takes part in; `framed` puts Docker's 8-byte header before each chunk.

    `early` is input that was read from the descriptor already.
    """

    fd: int
    stdin: bool = False
    stdout: bool = True
    stderr: bool = True
    framed: bool = False
    detach_keys: bytes = b""
    early: bytes = b""

    def wants(self) -> dict[str, object]:
        """The attachment as a message's part."""
        return {
            "stdin": self.stdin,
            "stdout": self.stdout,
            "stderr": self.stderr,
            "framed": self.framed,
            "detach_keys": self.detach_keys.hex(),
            "early": bool(self.early),
        }


class Stdio(msgspec.Struct, frozen=True):
    """Descriptors that the program gets, past the keeper; `console` is a socket that the terminal is sent to."""

    stdin: int = 0
    stdout: int = 1
    stderr: int = 2
    console: int | None = None
    preserved: tuple[int, ...] = ()
    terminal: "Terminal | None" = None


class LaunchRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One container's start. Descriptors stay the caller's; the keeper gets copies.

    For the OCI command line: a `loose` container has no keeper once it is made, it is its caller's; with `starter_fd`,
    a listening socket, it waits for a connection before the program starts. `patience` in seconds is how long a client
    that takes no output may hold up a container that has other clients. `runtime` is one in the built-in one's place.
    `before_pivot` runs the caller's hooks with the first process's number and says what failed, or ""; `state` is what
    hooks that run inside are given.
    """

    id: str
    directory: Path
    config: bytes
    root: OverlayRoot | PlainRoot
    cgroup: str
    exit_path: Path | None
    log: LogTarget | None = None
    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    attachments: tuple[Attachment, ...] = ()
    netns_fd: int | None = None
    held: tuple[int, ...] = ()
    init_binary: str | None = None
    size: tuple[int, int] | None = None
    loose: bool = False
    starter_fd: int | None = None
    stdio: Stdio | None = None
    before_pivot: Callable[[int], str] | None = None
    state: dict[str, Any] | None = None
    new_keyring: bool = True
    patience: float = 10.0
    runtime: ForeignRuntime | None = None


class ExecRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One more process in a running container; `process` is OCI's process object."""

    id: str
    directory: Path
    process: bytes
    tty: bool = False
    open_stdin: bool = False
    attachments: tuple[Attachment, ...] = ()
    detach: bool = False
    size: tuple[int, int] | None = None
    exit_path: Path | None = None
    loose: bool = False
    stdio: Stdio | None = None
