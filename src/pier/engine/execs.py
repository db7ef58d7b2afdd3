"""Execs: further programs in a running container. They live in memory; a daemon that starts anew does not know old
ones.

The client's connection is taken over before the program starts, as Docker does it: an error of the start is a line on
the stream and an exit code of 126 or 127. A detached exec reports its error as the answer of the request.
"""

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from pier.engine.attaching import Takeover
from pier.engine.container import Container
from pier.engine.detach_keys import parse_detach_keys
from pier.engine.gathering import gather
from pier.engine.oci.facts import Joined
from pier.engine.oci.processes import exec_process
from pier.engine.parts import Parts
from pier.engine.projection import Projection
from pier.engine.signals import KILL
from pier.engine.streams import STDOUT, finish, frame, send_all
from pier.runtime.faults import point
from pier.runtime.launch import Attachment, ExecRequest, Keeper
from pier.spec.containers import ExecConfig, ExecStart
from pier.spec.errors import Conflict, InvalidParameter, NotFound, PierError, StartFailed

# How long the answer of an ended exec can be asked for, as in Docker.
_KEPT = 5 * 60
# How long a change of the terminal's size waits for the start of its exec, as in Docker.
_READY = 10.0


@dataclass(eq=False)
class Exec:
    """One exec. `exit_code` is None until it has ended; `ended` in seconds of the monotonic clock."""

    id: str
    container: Container
    config: ExecConfig
    keys: bytes
    keeper: Keeper | None = None
    started: bool = False
    pid: int = 0
    exit_code: int | None = None
    ended: float = 0.0
    # set when its program runs, or never will
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def running(self) -> bool:
        """Whether its program runs."""
        return self.keeper is not None

    @property
    def command(self) -> str:
        """The command in one line, as its events name it."""
        program, *arguments = self.config.Cmd or [""]
        return f"{program} {' '.join(arguments)}"


class Execs:
    """All execs of the daemon."""

    def __init__(
        self,
        projection: Projection,
        parts: Parts,
        new_id: Callable[[], str] = lambda: secrets.token_hex(32),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._projection = projection
        self._parts = parts
        self._new_id = new_id
        self._clock = clock
        self._execs: dict[str, Exec] = {}

    def create(self, reference: str, config: ExecConfig) -> str:
        """Note an exec for later; nothing runs yet."""
        container = self._projection.find(reference)
        _check_runs(container)
        if not config.Cmd:
            raise InvalidParameter("No exec command specified")
        self._forget_old()
        exec_ = Exec(self._new_id(), container, config, parse_detach_keys(config.DetachKeys))
        self._execs[exec_.id] = exec_
        container.execs.add(exec_.id)
        self._tell(exec_, f"exec_create: {exec_.command}")
        return exec_.id

    def find(self, exec_id: str) -> Exec:
        """By its id; `NotFound` also for one whose container is gone."""
        exec_ = self._execs.get(exec_id)
        if exec_ is None or self._projection.get(exec_.container.id) is not exec_.container:
            raise NotFound(f"No such exec instance: {exec_id}")
        return exec_

    async def start(self, exec_id: str, options: ExecStart, takeover: Takeover) -> None:
        """Run it: detached, or with the client's connection."""
        exec_ = self.find(exec_id)
        self._check_startable(exec_, options)
        exec_.started = True
        if options.Detach:
            await self._run(exec_, (), options)
            return
        try:
            descriptor, early = await takeover.take()
        except BaseException:
            self._failed(exec_, 137)
            raise
        try:
            attachment = _attachment(exec_, descriptor, early)
            await self._run(exec_, (attachment,), options)
        except PierError as error:
            await self._report(exec_, descriptor, error)
            return
        except BaseException:
            finish(descriptor)
            raise
        os.close(descriptor)

    def _check_startable(self, exec_: Exec, options: ExecStart) -> None:
        if exec_.running:
            raise Conflict(f"Error: Exec command {exec_.id} is already running")
        if exec_.started:
            raise Conflict(f"Error: Exec command {exec_.id} has already run")
        _check_runs(exec_.container)
        if options.ConsoleSize is not None and (not exec_.config.Tty or len(options.ConsoleSize) != 2):
            raise InvalidParameter("console size is not allowed without a terminal: two numbers, rows and columns")

    async def _run(self, exec_: Exec, attachments: tuple[Attachment, ...], options: ExecStart) -> None:
        container = exec_.container
        self._tell(exec_, f"exec_start: {exec_.command}")
        try:
            keeper = container.keeper
            if keeper is None:  # it ended while the client's connection was taken over
                raise Conflict(f"Container {container.id} is not running")
            process = await self._parts.offload.run(self._process, exec_)
            request = self._request(exec_, process, attachments, options)
            exec_.keeper = await self._parts.launcher.exec(keeper, request)
        except PierError as error:
            self._failed(exec_, error.code if isinstance(error, StartFailed) and error.code != 125 else 126)
            raise
        except BaseException:
            self._failed(exec_, 126)
            raise
        point("exec-started")
        exec_.pid = exec_.keeper.pid
        exec_.ready.set()
        exec_.keeper.on_detach = lambda _, why: self._tell(exec_, "exec_detach") if why == "keys" else None
        self._parts.spawn(self._follow(exec_, exec_.keeper))

    def _process(self, exec_: Exec) -> bytes:
        """In a thread: OCI's process object."""
        facts = gather(exec_.container.record, self._parts, Joined())
        host, settings = self._parts.host, self._parts.settings
        return msgspec.json.encode(exec_process(facts, exec_.config, host, settings))

    def _request(
        self,
        exec_: Exec,
        process: bytes,
        attachments: tuple[Attachment, ...],
        options: ExecStart,
    ) -> ExecRequest:
        rows, columns = (*(options.ConsoleSize or exec_.config.ConsoleSize or ()), 0, 0)[:2]
        return ExecRequest(
            id=exec_.id,
            directory=self._parts.run_directory(exec_.container.id) / f"exec-{exec_.id[:16]}",
            process=process,
            tty=exec_.config.Tty,
            open_stdin=exec_.config.AttachStdin and bool(attachments),
            attachments=attachments,
            detach=not attachments,
            size=(rows, columns) if rows and columns else None,
        )

    async def _follow(self, exec_: Exec, keeper: Keeper) -> None:
        exited = await asyncio.shield(keeper.exited())
        self._failed(exec_, exited.code)
        self._tell(exec_, "exec_die", exitCode=str(exited.code))

    def _failed(self, exec_: Exec, code: int) -> None:
        exec_.keeper = None
        exec_.pid = 0
        exec_.exit_code = code
        exec_.ended = self._clock()
        exec_.ready.set()
        exec_.container.execs.discard(exec_.id)

    async def capture(
        self, container: Container, command: Sequence[str], seconds: float, limit: int
    ) -> tuple[int, bytes]:
        """Run a command to its end; its exit code and the head of its output. It is killed after so many seconds."""
        config = ExecConfig(AttachStdout=True, AttachStderr=True, Cmd=list(command))
        exec_ = Exec(self._new_id(), container, config, b"", started=True)
        self._execs[exec_.id] = exec_
        self._tell(exec_, f"exec_create: {exec_.command}")
        ours, theirs = socket.socketpair()
        with ours:
            try:
                attachment = Attachment(fd=theirs.fileno(), stdin=False, stdout=True, stderr=True)
                await self._run(exec_, (attachment,), ExecStart())
            finally:
                theirs.close()
            keeper = exec_.keeper
            try:
                async with asyncio.timeout(seconds):
                    output = await _head(ours, limit)
                    exited = await asyncio.shield(keeper.exited()) if keeper else None
            except TimeoutError:
                if keeper is not None:
                    await keeper.signal(KILL)
                raise
        return exited.code if exited else exec_.exit_code or 0, output

    async def _report(self, exec_: Exec, descriptor: int, error: PierError) -> None:
        """Docker's way to tell of a failed start on a connection that is taken over."""
        line = f"{error.message}\r\n".encode()
        data = line if exec_.config.Tty else frame(STDOUT, line)
        await self._parts.offload.run(send_all, descriptor, data)
        finish(descriptor)

    async def resize(self, exec_id: str, rows: int, columns: int) -> None:
        """Set the size of its terminal; a client may ask as soon as its connection is taken over, before the start."""
        exec_ = self.find(exec_id)
        try:
            async with asyncio.timeout(_READY):
                await exec_.ready.wait()
        except TimeoutError:
            raise Conflict("timeout waiting for exec session ready") from None
        if exec_.keeper is None:
            raise Conflict(f"Error: Exec command {exec_id} is not running")
        await exec_.keeper.resize(rows, columns)

    def inspect(self, exec_id: str) -> dict[str, object]:
        """The answer of `GET /exec/{id}/json`."""
        exec_ = self.find(exec_id)
        config = exec_.config
        command = config.Cmd or [""]
        process: dict[str, object] = {
            "tty": config.Tty,
            "entrypoint": command[0],
            "arguments": command[1:],
            "privileged": config.Privileged,
        }
        if config.User:
            process["user"] = config.User
        return {
            "ID": exec_.id,
            "Running": exec_.running,
            "ExitCode": exec_.exit_code,
            "ProcessConfig": process,
            "OpenStdin": config.AttachStdin,
            "OpenStderr": config.AttachStderr,
            "OpenStdout": config.AttachStdout,
            "CanRemove": False,
            "ContainerID": exec_.container.id,
            "DetachKeys": "" if not config.DetachKeys else exec_.keys.decode("latin-1"),
            "Pid": exec_.pid,
        }

    def _tell(self, exec_: Exec, action: str, **more: str) -> None:
        self._parts.news.container(exec_.container, action, execID=exec_.id, **more)

    def _forget_old(self) -> None:
        limit = self._clock() - _KEPT
        gone = [key for key, each in self._execs.items() if each.exit_code is not None and each.ended < limit]
        gone += [key for key, each in self._execs.items() if self._projection.get(each.container.id) is None]
        for key in gone:
            self._execs.pop(key, None)


async def _head(source: socket.socket, limit: int) -> bytes:
    """What comes from a socket until its end, cut to a limit."""
    source.setblocking(False)
    loop = asyncio.get_running_loop()
    kept = b""
    while data := await loop.sock_recv(source, 64 * 1024):
        kept += data[: limit - len(kept)]
    return kept


def _check_runs(container: Container) -> None:
    status = container.state.status
    if status == "paused":
        raise Conflict(f"Container {container.name} is paused, unpause the container before exec")
    if status == "restarting":
        raise Conflict(f"Container {container.id} is restarting, wait until the container is running")
    if status != "running":
        raise Conflict(f"Container {container.id} is not running")


def _attachment(exec_: Exec, descriptor: int, early: bytes) -> Attachment:
    config = exec_.config
    return Attachment(
        fd=descriptor,
        stdin=config.AttachStdin,
        stdout=config.AttachStdout,
        stderr=config.AttachStderr,
        framed=not config.Tty,
        detach_keys=exec_.keys if config.Tty and config.AttachStdin else b"",
        early=early,
    )
