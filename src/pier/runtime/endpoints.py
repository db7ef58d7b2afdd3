"""What a keeper holds of a container: its ends of the pipes, and the socket at which a later daemon finds it."""

import os

from pier.kernel import fds
from pier.kernel.fds import Socket
from pier.runtime import sync

SOCKET = "keeper.sock"


def pipes(request: sync.Message, for_creator: list[tuple[str, int]]) -> dict[str, int]:
    """Pipes for a container without a terminal; its own ends are put beside the descriptors for the creator."""
    if request["tty"] or any(name == sync.STDOUT for name, _ in for_creator):
        return {}
    ours: dict[str, int] = {}
    if request["open_stdin"]:
        theirs, ours[sync.STDIN] = os.pipe2(os.O_CLOEXEC)
    else:
        theirs = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    for_creator.append((sync.STDIN, theirs))
    for name in (sync.STDOUT, sync.STDERR):
        ours[name], theirs = os.pipe2(os.O_CLOEXEC)
        for_creator.append((name, theirs))
    return ours


def listen(directory: str) -> Socket:
    """Listen in the given directory, by a relative name: a socket's path may be no longer than 107 bytes."""
    os.chdir(directory)
    try:
        os.unlink(SOCKET)
    except FileNotFoundError:
        pass
    listener = fds.packet_socket()
    listener.bind(SOCKET)
    listener.listen(16)
    return listener


def early(wants: dict[str, object], descriptors: list[int]) -> bytes:
    """The input that the daemon had read already, from the file that came beside the client's descriptor."""
    if not wants.get("early"):
        return b""
    descriptor = descriptors.pop(0)
    try:
        return fds.read_all(descriptor)
    finally:
        os.close(descriptor)
