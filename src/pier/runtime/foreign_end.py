"""A keeper's part in a foreign container: to be given its init, and to have the runtime put it away at the end.

What is done there needs many modules, and is done in a child, which loads them: a keeper loads nothing after its fork.
"""

import os

from pier.kernel.process import set_subreaper
from pier.runtime.sync import Message


def adopt_orphans(request: Message, *, yes: bool) -> None:
    """While a foreign runtime makes a process, what it leaves behind becomes the keeper's child."""
    if request.get("runtime"):
        set_subreaper(subreaper=yes)


def end(request: Message) -> None:
    """Let the runtime put the container away, in bounded time; nothing for the built-in one's."""
    runtime = request.get("runtime")
    if not runtime:
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        from pier.runtime import foreign_stage

        foreign_stage.put_away(request)
    finally:
        os._exit(0)
