"""What a step of a start is, the stage it works on, and how its failure is worded.

A plan is a tuple of steps; `runtime/filesystem.py` and `runtime/identity.py` hold the kinds.
"""

import errno
import os
import signal

from pier.kernel.fds import Socket
from pier.runtime import sync
from pier.runtime.record import Record


class Failure(Exception):
    """A start that cannot go on; `message` is in runc's words, for the user."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Stage:
    """What the steps share: descriptors and facts that come into being on the way."""

    def __init__(self, channel: Socket, stdio: list[int], netns: int, seccomp: int, *, tty: bool) -> None:
        self.channel = channel
        self.stdio = stdio
        self.netns = netns
        self.seccomp = seccomp
        self.tty = tty
        self.size: tuple[int, int] | None = None
        self.starter = -1
        self.preserved: list[int] = []
        self.slot = ""
        self.forked = False
        self.groups_denied = False
        self.root = -1
        self.procfs = -1
        self.sources: dict[int, int] = {}
        self.trees: dict[str, int] = {}
        self.devices: dict[str, int] = {}
        self.pidfd = -1
        self.inputs = -1

    def tell(self, message: sync.Message) -> None:
        """Say something to the keeper."""
        sync.send(self.channel, message)

    def await_creator_end(self) -> None:
        """Wait for the keeper's word that the creator, whose memory this process uses, is dead.

        Without a keeper there is no word: then the kernel kills both this process and the creator.
        """
        if self.forked:
            if not self.channel.recv(1):
                while True:
                    signal.pause()
            self.forked = False


class Step(Record):
    """One act of a start. `context` opens the message of its failure, as runc words it."""

    def describe(self) -> str:
        """The step in one line, for whoever looks at a plan."""
        return repr(self)

    def context(self) -> str:
        """What a failure of this step is called."""
        return ""

    def apply(self, stage: Stage) -> None:
        """Act. Raises OSError or Failure."""
        raise NotImplementedError


def reason(error: OSError) -> str:
    """An errno in Go's words: the C library's, in lower case."""
    if error.errno == errno.ENXIO:
        return "no such device or address"
    return os.strerror(error.errno or 0).lower()


def walk(plan: tuple[Step, ...], stage: Stage) -> None:
    """Apply each step in turn. Raises Failure naming the step that failed."""
    for step in plan:
        try:
            step.apply(stage)
        except OSError as error:
            context = step.context()
            raise Failure(f"{context}: {reason(error)}" if context else reason(error)) from error
