"""Socket options that Python does not offer: a packet filter that lets nothing through."""

import ctypes
import socket
import struct

_SO_ATTACH_FILTER = 26
# One classic BPF instruction, BPF_RET | BPF_K with 0: keep no byte of any packet.
_DROP = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0), 8)
_PROGRAM = struct.pack("@HP", 1, ctypes.addressof(_DROP))


def drop_everything(held: socket.socket) -> None:
    """Make the socket deaf: what reaches it is dropped without an answer, so that a peer tries again."""
    held.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM)
