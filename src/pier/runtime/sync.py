"""The conversation of a start, and its messages.

    pierd                         keeper                        creator (init)
      │  launch {…} + inputs, fds   │                             │
      ├────────────────────────────▶│  the same bytes + stdio     │
      │                             ├────────────────────────────▶│ cgroup, namespaces, mounts …
      │                             │  terminal {} + master       │
      │                             │◀────────────────────────────┤ (tty only)
      │                             │  process {pid}              │
      │                             │◀────────────────────────────┤ (when init is another process than the creator)
      │          hooks {pid}        │  hooks {} and wait          │
      │◀────────────────────────────┤◀────────────────────────────┤ (when the caller has hooks to run before pivot_root)
      │  {} or {failed: message}    │                             │
      ├────────────────────────────▶├────────────────────────────▶│
      │                             │  failed {message}           │
      │        failed {message}     │◀────────────────────────────┤ or the end of the socket: execve has happened
      │◀────────────────────────────┤
      │  or started {pid} + pidfd   │
      │◀────────────────────────────┤
      │  attach {n} + fd, resize {n}, signal {n}, hello {n}       │
      ├────────────────────────────▶│
      │  answer {n, …}, detached {attachment}, exited {…}         │
      │◀────────────────────────────┤

Every message is one JSON object in one packet of a SOCK_SEQPACKET socket, with the descriptors it speaks of. A keeper
answers a newer daemon too: it ignores keys that it does not know, and refuses words that it does not know.
"""

import json
import os
from typing import Any, NoReturn, TypedDict

from pier.kernel import fds
from pier.kernel.fds import Socket

VERSION = 1
# A packet: the socket's send buffer bounds it, and everything long travels in the `inputs` file.
LARGEST = 64 * 1024
# The names of the descriptors that come with a request.
INPUTS, SECCOMP, NETNS, PIDFD = "inputs", "seccomp", "netns", "pidfd"
STARTER, CONSOLE, PRESERVED = "starter", "console", "preserved"
STDIN, STDOUT, STDERR = "stdin", "stdout", "stderr"
# The order in which a creator hands a keeper its ends of the pipes.
ENDPOINTS = (STDOUT, STDERR, STDIN)
Message = dict[str, Any]
# How messages begin whose rest a keeper need not read: descriptors to hold, a container that nobody watches yet, and
# one of those whose second descriptor is its seccomp filter.
HOLD, QUIET, QUIET_FILTERED = b'{"do":"hold"', b'{"quiet":', b'{"quiet":1'
Write = tuple[str, tuple[tuple[str, str], ...], bool]


def _refuse(value: object) -> NoReturn:
    raise TypeError(f"a message holds a {type(value).__name__}")


# The C parts by themselves, made once: what json puts around them costs a keeper memory with each function it enters.
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
_encode_ascii = json.encoder.encode_basestring_ascii
_make_encoder = json.encoder.c_make_encoder  # type: ignore[attr-defined]
_chunks = _make_encoder(None, _refuse, _encode_ascii, None, ":", ",", False, False, True)


class Facts(TypedDict, total=False):
    """What the creator needs beside config.json; the first line of the `inputs` file."""

    lowers: list[str]
    upper: str
    work: str
    plain: str
    directory: str
    init_binary: str
    writes: list[Write]
    device_program: str
    seccomp_flags: int
    exec: bool
    loose: bool
    hooks: bool
    state: Message
    keyring: str
    time: bool
    runtime: Message
    container: str
    group: str
    home: str


class Broken(Exception):
    """The other side said what nobody says here."""


def encode(message: Message) -> bytes:
    """A message as bytes."""
    return "".join(_chunks(message, 0)).encode()


def decode(data: bytes) -> Message:
    """Bytes as a message. Raises Broken."""
    try:
        text = data.decode()
        message, end = _scan(text, 0)
    except (ValueError, RecursionError, StopIteration):
        raise Broken("a message is not JSON") from None
    if not isinstance(message, dict) or end != len(text):
        raise Broken("a message is not an object")
    return message


def send(connection: Socket, message: Message, descriptors: tuple[int, ...] | list[int] = ()) -> None:
    """Send one message. Raises OSError."""
    fds.send(connection, encode(message), descriptors)


def receive(connection: Socket) -> tuple[Message | None, list[int]]:
    """Receive one message; None at the end of the conversation. Raises OSError, Broken."""
    data, descriptors = fds.receive(connection, LARGEST)
    if not data:
        fds.close_all(descriptors)
        return None, []
    try:
        return decode(data), descriptors
    except Broken:
        fds.close_all(descriptors)
        raise


def pack_inputs(facts: Facts, config: bytes) -> int:
    """A descriptor of the file in memory that holds the facts and the document."""
    descriptor = os.memfd_create("pier-inputs", os.MFD_CLOEXEC)
    left = memoryview(json.dumps(facts).encode() + b"\n" + config)
    while left:
        left = left[os.write(descriptor, left) :]
    return descriptor


def unpack_inputs(descriptor: int) -> tuple[Facts, Message]:
    """Facts and document of such a file."""
    facts, _, config = fds.read_all(descriptor).partition(b"\n")
    return json.loads(facts), json.loads(config)
