"""The daemon's end of a keeper: requests, answers, and the news of its end."""

import asyncio
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from pier.kernel import fds
from pier.runtime import sync
from pier.runtime.foreign import BUNDLE, ForeignRuntime
from pier.runtime.requests import Attachment
from pier.runtime.state import Exit, read_exit
from pier.spec.errors import Conflict, InvalidParameter, SystemFailure

_ESRCH = 3


class Keeper:
    """A container or exec that has been started, as seen from the daemon; `pid` is its init's on the host."""

    def __init__(self, connection: socket.socket, identity: str, cgroup: str, *, tty: bool) -> None:
        self.id = identity
        self.cgroup = cgroup
        self.tty = tty
        self.pid = 0
        self.started_at = 0
        self.pidfd = -1
        self.seccomp: tuple[int, int] | None = None
        self.runtime: ForeignRuntime | None = None
        self._owns_filter = False
        self.on_detach: Callable[[int, str], None] | None = None
        self.before_pivot: Callable[[int], str] | None = None
        self.directory: Path | None = None
        self.exit_path: Path | None = None
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._numbers = 0
        self._answers: dict[int, asyncio.Future[sync.Message]] = {}
        self._exit: asyncio.Future[Exit] = self._loop.create_future()
        self._begun: asyncio.Future[sync.Message] = self._loop.create_future()
        connection.setblocking(False)
        self._loop.add_reader(connection.fileno(), self._readable)

    def exited(self) -> "asyncio.Future[Exit]":
        """The end, when it comes; shield it before you cancel a wait for it."""
        return self._exit

    async def begun(self) -> sync.Message:
        """The keeper's first word: started, created or failed."""
        return await self._begun

    async def attach(self, attachment: Attachment) -> int:
        """Hand a client over; its number, by which `on_detach` tells its end. The caller closes its own copy."""
        early = [fds.in_memory("pier-early", attachment.early)] if attachment.early else []
        try:
            answer = await self._ask({"do": "attach", "attachment": attachment.wants()}, attachment.fd, *early)
        finally:
            fds.close_all(early)
        number: int = answer["attachment"]
        return number

    async def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's window size."""
        await self._ask({"do": "resize", "rows": rows, "columns": columns})

    async def signal(self, number: int) -> None:
        """Send a signal to the container's init, or to the exec's process."""
        await self._ask({"do": "signal", "number": number})

    async def hello(self) -> None:
        """Learn who the keeper is (after `adopt`)."""
        answer = await self._ask({"do": "hello"})
        self.id, self.cgroup, self.tty = answer["id"], answer["cgroup"], answer["tty"]
        self.pid, self.started_at = answer["pid"], answer["started_at"]
        self.exit_path = Path(answer["exit_path"]) if answer.get("exit_path") else None
        if runtime := answer.get("runtime"):
            self.runtime = ForeignRuntime.of(runtime)

    @property
    def closed(self) -> bool:
        """Whether the connection is closed, by either side."""
        return self._connection.fileno() < 0

    def close(self) -> None:
        """Let go of the keeper, which lives on."""
        if self._connection.fileno() >= 0:
            self._loop.remove_reader(self._connection.fileno())
            self._connection.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1
        if self._owns_filter and self.seccomp:
            os.close(self.seccomp[0])
        self.seccomp = None

    def send(self, message: sync.Message, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message without an answer. Raises OSError."""
        sync.send(self._connection, message, descriptors)

    async def _ask(self, message: sync.Message, *descriptors: int) -> sync.Message:
        if self._exit.done():
            raise Conflict(f"container {self.id} is not running")
        self._numbers += 1
        number = self._numbers
        answer: asyncio.Future[sync.Message] = self._loop.create_future()
        self._answers[number] = answer
        try:
            self.send({**message, "n": number}, descriptors)
            reply = await answer
        except OSError:
            raise Conflict(f"container {self.id} is not running") from None
        finally:
            self._answers.pop(number, None)
        if "error" in reply:
            if reply.get("errno") == _ESRCH:
                raise Conflict(f"container {self.id} is not running")
            raise InvalidParameter(str(reply["error"]))
        return reply

    def _readable(self) -> None:
        while True:
            try:
                message, descriptors = sync.receive(self._connection)
            except BlockingIOError:
                return
            except (OSError, sync.Broken):
                message, descriptors = None, []
            if message is None:
                self._ended()
                return
            self._take(message, descriptors)

    def _take(self, message: sync.Message, descriptors: list[int]) -> None:
        word = message["at"]
        if descriptors and self.pidfd < 0:
            self.pidfd = descriptors.pop(0)
            if descriptors:
                self.seccomp = descriptors.pop(0), int(message.get("seccomp_flags", 0))
                self._owns_filter = True
        fds.close_all(descriptors)
        if word == "answer":
            answer = self._answers.get(message["n"])
            if answer and not answer.done():
                answer.set_result(message)
        elif word == "hooks":
            failed = self.before_pivot(message["pid"]) if self.before_pivot else ""
            self.send({"failed": failed})
        elif word in ("started", "created", "failed"):
            self.pid, self.started_at = message.get("pid", 0), message.get("started_at", 0)
            if not self._begun.done():
                self._begun.set_result(message)
        elif word == "detached" and self.on_detach:
            self.on_detach(message["attachment"], message["why"])
        elif word == "exited":
            self._settle(Exit(message["code"], message["oom"], message["error"], message["finished_at"]))

    def _settle(self, record: Exit) -> None:
        if self._exit.done():
            return
        self._exit.set_result(record)
        self._remove_directory()

    def give_up(self) -> None:
        """Forget a start that has failed."""
        self.close()
        self._remove_directory()

    def _remove_directory(self) -> None:
        if self.directory:
            try:
                os.rmdir(self.directory)
            except OSError:
                pass  # used again already, or holding execs

    def _ended(self) -> None:
        """The keeper is gone: either it has told all, or its record has, or it was killed."""
        self.close()
        if not self._begun.done():
            self._begun.set_exception(SystemFailure(f"the keeper of container {self.id} died before the start"))
            self._begun.exception()
        record = read_exit(self.exit_path) if self.exit_path else None
        if record is None or record.finished_at < self.started_at:
            record = Exit(137, False, "keeper died", 0)
            if self.runtime and self.directory:  # of another runtime's container more is left than a killed socket
                shutil.rmtree(self.directory / BUNDLE, ignore_errors=True)
        self._settle(record)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Conflict(f"container {self.id} is not running"))


async def adopt(directory: Path) -> Keeper | None:
    """Connect to the keeper that listens in a directory; None when there is none."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    try:
        handle = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        connection.close()
        return None
    try:
        connection.connect(f"/proc/self/fd/{handle}/keeper.sock")
    except OSError:
        connection.close()
        return None
    finally:
        os.close(handle)
    keeper = Keeper(connection, "", "", tty=False)
    keeper.directory = directory
    try:
        await keeper.hello()
    except Conflict:
        keeper.close()
        return None
    except BaseException:
        keeper.close()
        raise
    return keeper
