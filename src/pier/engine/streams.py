"""Bytes to a client's socket that the daemon holds itself: backlogs of logs, and messages where no keeper serves."""

import os
import select
import socket
from struct import Struct

STDOUT, STDERR = 1, 2
PATIENCE_MS = 60_000
_HEADER = Struct(">BxxxI")


def frame(stream: int, payload: bytes) -> bytes:
    """A payload with the 8-byte head of a multiplexed stream (1 stdout, 2 stderr)."""
    return _HEADER.pack(stream, len(payload)) + payload


def send_all(descriptor: int, data: bytes) -> bool:
    """Write everything to a non-blocking socket, in a thread; False when the client is gone or takes nothing for a
    minute.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            if not poll.poll(PATIENCE_MS):
                return False
        except OSError:
            return False
    return True


def finish(descriptor: int) -> None:
    """End a conversation: the client sees the end of the stream even where a copy of the socket is still open."""
    client = socket.socket(fileno=descriptor)
    try:
        client.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # it is gone already
    finally:
        client.close()
