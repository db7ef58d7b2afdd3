"""The engine's door to the runtime: starts containers and execs, and finds their keepers again. Async; no decisions.

The daemon never forks: it starts one spawner program, keeps a few waiting pairs of its children at hand, and gives each
start to one of them by a single message.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

import pier
from pier.kernel import cgroup, fds
from pier.runtime import limits, sync
from pier.runtime.connection import Keeper, adopt
from pier.runtime.failures import exec_failed, start_failed
from pier.runtime.requests import Attachment, ExecRequest, LaunchRequest, LogTarget, OverlayRoot, PlainRoot
from pier.runtime.seccomp import FilterCache
from pier.spec.errors import Conflict, SystemFailure
from pier.spec.runtime_config import Namespace, Seccomp

__all__ = ["Attachment", "ExecRequest", "Keeper", "LaunchRequest", "Launcher", "LogTarget", "OverlayRoot", "PlainRoot"]

FRESH, PLAIN = "fresh", "plain"
_POOL = {FRESH: 4, PLAIN: 2}
# A fork beside a running start would take its processor: the pool is filled a moment later.
_REFILL_AFTER = 0.02
_HELD_PER_MESSAGE = 200
_SPAWNER = "import sys; sys.path.insert(0, {source!r}); from pier.runtime.spawner import main; main()"


class _Linux(msgspec.Struct, rename="camel"):
    namespaces: tuple[Namespace, ...] = ()
    resources: dict[str, Any] | None = None
    seccomp: msgspec.Raw | None = None


class _Process(msgspec.Struct):
    args: tuple[str, ...] = ()


class _Config(msgspec.Struct):
    """The parts of config.json that are prepared on this side."""

    process: _Process = msgspec.field(default_factory=_Process)
    linux: _Linux = msgspec.field(default_factory=_Linux)


@dataclass(frozen=True, slots=True)
class _Filter:
    descriptor: int
    flags: int


class Launcher:
    """The runtime of one daemon."""

    def __init__(self, exec_root: Path, instance: str) -> None:
        self._exec_root, self._instance = exec_root, instance
        self._layout = cgroup.detect()
        self._filters = FilterCache(exec_root / "seccomp")
        self._loaded: dict[bytes, _Filter] = {}
        self._ready: dict[str, deque[socket.socket]] = {FRESH: deque(), PLAIN: deque()}
        self._waiting: dict[str, deque[asyncio.Future[socket.socket]]] = {FRESH: deque(), PLAIN: deque()}
        self._coming = {FRESH: 0, PLAIN: 0}
        self._channel: socket.socket | None = None
        self._program: subprocess.Popen[bytes] | None = None
        self._refill: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def start(cls, *, exec_root: Path, instance: str) -> "Launcher":
        """Start the spawner. Raises SystemFailure when it cannot be started."""
        launcher = cls(exec_root, instance)
        launcher._start_spawner()
        launcher._fill()
        first = await launcher._acquire(FRESH)
        launcher._ready[FRESH].append(first)
        return launcher

    @property
    def spawner_pid(self) -> int:
        """The spawner's process number."""
        return self._program.pid if self._program else 0

    async def launch(self, request: LaunchRequest) -> Keeper:
        """Start a container: create and exec in one round trip. Nothing is left behind on failure.

        Raises StartFailed in Docker's words, InvalidParameter for an impossible configuration, SystemFailure.
        """
        parts = msgspec.json.decode(request.config, type=_Config)
        filter_, config = self._filter(parts.linux.seccomp, request.config)
        writes, program = self._limits(parts.linux.resources)
        facts: sync.Facts = {
            "directory": str(request.directory), "writes": writes, "device_program": program.hex(), "wait": request.wait,
            "seccomp_flags": filter_.flags if filter_ else 0, "init_binary": request.init_binary or "",
        }  # fmt: skip
        if isinstance(request.root, OverlayRoot):
            facts["lowers"], facts["upper"] = list(request.root.lowers), request.root.upper
            facts["work"] = request.root.work
        else:
            facts["plain"] = request.root.path
        inputs = sync.pack_inputs(facts, config)
        message = self._message(request, "container", request.cgroup, stdin_once=request.stdin_once)
        if request.log and request.log.enabled:
            message["log"] = {"path": request.log.path, "max_size": request.log.max_size, "max_file": request.log.max_file}
        given = [("inputs", inputs)]
        given += [("seccomp", filter_.descriptor)] if filter_ else []
        given += [("netns", request.netns_fd)] if request.netns_fd is not None else []
        try:
            keeper = await self._send(_kind(parts.linux.namespaces), request, message, given, request.held)
        finally:
            os.close(inputs)
        answer = await self._begun(keeper)
        if answer["at"] == "failed":
            keeper.give_up()
            raise start_failed(answer["message"], parts.process.args[0] if parts.process.args else "")
        return keeper

    async def exec(self, container: Keeper, request: ExecRequest) -> Keeper:
        """Start one more process in a running container. Raises StartFailed, Conflict, SystemFailure."""
        if container.pidfd < 0 or container.exited().done():
            raise Conflict(f"container {container.id} is not running")
        filter_, _ = self._filter(msgspec.Raw(request.seccomp) if request.seccomp else None, b"")
        facts: sync.Facts = {"exec": True, "directory": str(request.directory), "seccomp_flags": filter_.flags if filter_ else 0}
        inputs = sync.pack_inputs(facts, request.process)
        message = self._message(request, "exec", container.cgroup, stdin_once=True)
        given = [("inputs", inputs), ("pidfd", container.pidfd)]
        given += [("seccomp", filter_.descriptor)] if filter_ else []
        try:
            keeper = await self._send(PLAIN, request, message, given, ())
        finally:
            os.close(inputs)
        answer = await self._begun(keeper)
        if answer["at"] == "failed":
            keeper.give_up()
            raise exec_failed(answer["message"])
        return keeper

    async def adopt(self, directory: Path) -> Keeper | None:
        """Reconnect to a keeper after a restart of the daemon; None when it is gone (its exit record tells then)."""
        return await adopt(directory)

    async def close(self) -> None:
        """End the spawner and the waiting pairs; keepers that keep something live on."""
        self._closed = True
        if self._refill:
            self._refill.cancel()
        for connections in self._ready.values():
            while connections:
                connections.popleft().close()
        self._drop_channel()
        if self._program:
            await asyncio.to_thread(self._program.wait)
        for filter_ in self._loaded.values():
            os.close(filter_.descriptor)
        self._loaded.clear()

    def _filter(self, raw: msgspec.Raw | None, config: bytes) -> tuple[_Filter | None, bytes]:
        """The compiled filter of the document, and the document without it."""
        if raw is None:
            return None, config
        content = bytes(raw)
        found = self._loaded.get(content)
        if found is None:
            compiled = self._filters.compile(msgspec.json.decode(content, type=Seccomp))
            found = _Filter(fds.in_memory("pier-seccomp", compiled.program), compiled.flags)
            self._loaded[content] = found
        return found, config.replace(content, b"null", 1)

    def _limits(self, resources: dict[str, Any] | None) -> tuple[list[sync.Write], bytes]:
        writes = limits.writes(resources, self._layout)
        device_writes, program = limits.device_plan(resources, self._layout)
        return list(writes + device_writes), program

    def _message(self, request: LaunchRequest | ExecRequest, kind: str, group: str, *, stdin_once: bool) -> sync.Message:
        return {
            "do": "launch", "v": sync.VERSION, "kind": kind, "id": request.id, "directory": str(request.directory),
            "exit_path": str(request.exit_path) if request.exit_path else "", "tty": request.tty, "cgroup": group,
            "open_stdin": request.open_stdin, "stdin_once": stdin_once, "size": request.size,
            "attachments": [attachment.wants() for attachment in request.attachments],
        }  # fmt: skip

    async def _send(
        self,
        kind: str,
        request: LaunchRequest | ExecRequest,
        message: sync.Message,
        given: list[tuple[str, int]],
        held: tuple[int, ...],
    ) -> Keeper:
        """Give the request to a waiting pair."""
        request.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        given = given + [("attachment", attachment.fd) for attachment in request.attachments]
        message["fds"] = [name for name, _ in given]
        while True:
            connection = await self._acquire(kind)
            keeper = Keeper(connection, request.id, message["cgroup"], tty=request.tty)
            keeper.directory, keeper.exit_path = request.directory, request.exit_path
            try:
                for start in range(0, len(held), _HELD_PER_MESSAGE):
                    keeper.send({"do": "hold"}, held[start : start + _HELD_PER_MESSAGE])
                keeper.send(message, tuple(descriptor for _, descriptor in given))
            except (BrokenPipeError, ConnectionError):
                keeper.close()  # it died while it waited: the next one, then
                continue
            return keeper

    async def _begun(self, keeper: Keeper) -> sync.Message:
        try:
            return await keeper.begun()
        except BaseException:
            keeper.give_up()
            raise

    # The pool.

    async def _acquire(self, kind: str) -> socket.socket:
        if self._closed:
            raise SystemFailure("the runtime is closed")
        if self._channel is None:
            self._start_spawner()
        ready = self._ready[kind]
        if ready:
            connection = ready.popleft()
            if self._refill is None:
                self._refill = asyncio.get_running_loop().call_later(_REFILL_AFTER, self._fill)
            return connection
        waiter: asyncio.Future[socket.socket] = asyncio.get_running_loop().create_future()
        self._waiting[kind].append(waiter)
        self._fill()
        return await waiter

    def _fill(self) -> None:
        """Ask for as many pairs as are missing."""
        self._refill = None
        for kind, size in _POOL.items():
            wanted = size + len(self._waiting[kind]) - len(self._ready[kind]) - self._coming[kind]
            for _ in range(wanted):
                if self._channel is not None:
                    self._coming[kind] += 1
                    sync.send(self._channel, {"want": kind})

    def _start_spawner(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        source = str(Path(pier.__file__).parent.parent)
        arguments = [os.path.realpath(sys.executable), "-I", "-S", "-B", "-c", _SPAWNER.format(source=source)]
        # The last argument is room in which the processes write their titles.
        arguments += ["enter", str(theirs.fileno()), "." * 100]
        try:
            self._program = subprocess.Popen(  # noqa: S603
                arguments, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),), start_new_session=True, env=_environment()
            )
        except OSError as error:
            ours.close()
            raise SystemFailure(f"starting the spawner: {error}") from error
        finally:
            theirs.close()
        ours.setblocking(False)
        self._channel = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)

    def _readable(self) -> None:
        while self._channel is not None:
            try:
                message, descriptors = sync.receive(self._channel)
            except BlockingIOError:
                return
            except (OSError, sync.Broken):
                message, descriptors = None, []
            if message is None:
                self._spawner_died()
                return
            self._arrived(message["kind"], socket.socket(fileno=descriptors[0]))

    def _arrived(self, kind: str, connection: socket.socket) -> None:
        self._coming[kind] = max(0, self._coming[kind] - 1)
        waiting = self._waiting[kind]
        while waiting:
            waiter = waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._ready[kind].append(connection)

    def _spawner_died(self) -> None:
        """Running containers do not mind; the next start begins with a new spawner."""
        self._drop_channel()
        self._coming = {FRESH: 0, PLAIN: 0}
        for waiting in self._waiting.values():
            while waiting:
                waiter = waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(SystemFailure("the spawner died"))

    def _drop_channel(self) -> None:
        if self._channel is not None:
            asyncio.get_running_loop().remove_reader(self._channel.fileno())
            self._channel.close()
            self._channel = None


def _kind(namespaces: tuple[Namespace, ...]) -> str:
    """A new PID namespace is what waiting creators are in; a shared or joined one starts from the host's."""
    return FRESH if any(namespace.type == "pid" and not namespace.path for namespace in namespaces) else PLAIN


def _environment() -> dict[str, str]:
    """The spawner gets nothing of the daemon's environment but the faults that a test asks for."""
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **{k: v for k, v in os.environ.items() if k == "PIER_FAULTS"}}
