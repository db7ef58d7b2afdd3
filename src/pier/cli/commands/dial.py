"""`pier system dial-stdio`: the daemon's connection on stdin and stdout, which is how `ssh://` reaches it."""

from __future__ import annotations

import os
import select

from pier.cli.command import Cli, Definition
from pier.cli.streaming import write_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

PIECE = 1 << 16
SHUT_WR = 1


def run(cli: Cli, _flags: Parsed, _arguments: list[str]) -> None:
    """Pass bytes both ways until the daemon ends; the end of stdin closes our side alone."""
    from pier.client.address import connect

    connection = connect(cli.client.address)
    waiting = [0, connection.fileno()]
    while True:
        ready, _, _ = select.select(waiting, [], [])
        if connection.fileno() in ready:
            data = connection.recv(PIECE)
            if not data:
                return
            write_all(1, data)
        if 0 in ready:
            data = os.read(0, PIECE)
            if data:
                connection.sendall(data)
            else:
                waiting.remove(0)
                connection.shutdown(SHUT_WR)


DEFINITIONS = {"system dial-stdio": Definition("", run, most=0)}
