"""The keeper's streams, told events in the orders that the kernel may give."""

import os
import socket

from pier.runtime.loop import GONE, OUT, Handler, Loop
from pier.runtime.streams import Streams


class Told(Loop):
    """A loop that keeps its handlers, to tell them a turn's events as one poll gave them."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: dict[int, Handler] = {}

    def watch(self, descriptor: int, events: int, handler: Handler) -> None:
        self.handlers[descriptor] = handler
        super().watch(descriptor, events, handler)


def test_input_taken_in_the_turn_in_which_its_client_hangs_up_is_followed_by_the_rest() -> None:
    loop = Told()
    streams = Streams(loop, None, tty=False, stdin_once=True)
    program, input_ = os.pipe()
    os.set_blocking(program, False)
    streams.open_input(input_)
    ours, theirs = socket.socketpair()
    descriptor = theirs.detach()
    wants: dict[str, object] = {"stdin": True, "stdout": False, "stderr": False, "framed": False, "detach_keys": ""}
    streams.attach(descriptor, wants)
    ours.sendall(b"the rest")
    ours.close()
    loop.handlers[input_](OUT)
    loop.handlers[descriptor](GONE)
    assert os.read(program, 100) == b"the rest"
    assert os.read(program, 100) == b""
    os.close(program)
