"""The engine's door to the runtime: starts containers and execs, and finds their keepers again. Async; no decisions.

The daemon never forks: one spawner program keeps a few waiting pairs of its children at hand, and each start is given
to one of them by a single message.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from pier.kernel import cgroup, fds
from pier.runtime import limits, slots, sync
from pier.runtime.connection import Keeper, adopt
from pier.runtime.failures import exec_failed, foreign_exec_failed, foreign_start_failed, start_failed
from pier.runtime.foreign import ForeignRuntime
from pier.runtime.pool import CONTAINER, EXEC, NONE_AHEAD, Pool
from pier.runtime.requests import (
    Attachment,
    ExecRequest,
    LaunchRequest,
    LogTarget,
    OverlayRoot,
    PlainRoot,
    Stdio,
)
from pier.runtime.seccomp import FilterCache
from pier.runtime.state import Exit
from pier.spec.errors import Conflict, InvalidParameter
from pier.spec.runtime_config import Seccomp

__all__ = [
    "Attachment",
    "ExecRequest",
    "Exit",
    "ForeignRuntime",
    "Keeper",
    "LaunchRequest",
    "Launcher",
    "LogTarget",
    "OverlayRoot",
    "PlainRoot",
]

_HELD_PER_MESSAGE = 200
# The descriptors of a start that nobody watches: `runtime/quiet.py`.
_QUIET = (
    ["inputs"],
    ["inputs", "netns"],
    ["inputs", "seccomp"],
    ["inputs", "seccomp", "netns"],
)


class _Linux(msgspec.Struct):
    resources: dict[str, Any] | None = None
    seccomp: msgspec.Raw = msgspec.Raw()


class _Process(msgspec.Struct):
    args: tuple[str, ...] = ()


class _Config(msgspec.Struct):
    """The parts of config.json that are prepared on this side."""

    process: _Process = msgspec.field(default_factory=_Process)
    linux: _Linux = msgspec.field(default_factory=_Linux)


@dataclass(frozen=True, slots=True)
class _Filter:
    """A compiled filter in a file in memory that all its containers share."""

    descriptor: int
    flags: int


class Launcher:
    """The runtime of one daemon."""

    def __init__(self, exec_root: Path, instance: str, cgroup_parent: str, *, once: bool = False) -> None:
        self.instance = instance
        self._layout = cgroup.detect()
        self._compiled = FilterCache(exec_root / "seccomp")
        self._filters: dict[bytes, _Filter] = {}
        self._parent = cgroup_parent or f"/pier-{instance}"
        slots.sweep(self._layout, self._parent)
        self._pool = Pool(self._parent, NONE_AHEAD) if once else Pool(self._parent)

    @classmethod
    async def start(cls, *, exec_root: Path, instance: str, cgroup_parent: str = "", once: bool = False) -> "Launcher":
        """Start the spawner. Raises SystemFailure when it cannot be started.

        Containers whose control group lies directly below `cgroup_parent` (`/pier-<instance>`) start fastest. For a
        single start (`once`) nothing is forked ahead.
        """
        launcher = cls(exec_root, instance, cgroup_parent, once=once)
        if not once:
            await launcher._pool.start()
        return launcher

    @property
    def spawner_pid(self) -> int:
        """The spawner's process number."""
        return self._pool.spawner_pid

    async def launch(self, request: LaunchRequest) -> Keeper:
        """Start a container: create and exec in one round trip. Nothing is left behind on failure.

        Raises StartFailed in Docker's words, InvalidParameter for an impossible configuration, SystemFailure.
        """
        parts = _parse(request.config)
        filter_, config = None, request.config
        if request.runtime is None:
            filter_, config = self._filter(bytes(parts.linux.seccomp), request.config)
        inputs = sync.pack_inputs(self._facts(request, parts, filter_), config)
        message = _message(request, "container", request.cgroup, stdin_once=request.stdin_once)
        message.update(seccomp_flags=filter_.flags if filter_ else 0, patience=request.patience)
        if request.runtime:
            message["runtime"] = request.runtime.message()
        if request.log and request.log.enabled:
            log = request.log
            message["log"] = {"path": log.path, "max_size": log.max_size, "max_file": log.max_file}
        given = [("inputs", inputs)]
        given += [("seccomp", filter_.descriptor)] if filter_ else []
        given += [("netns", request.netns_fd)] if request.netns_fd is not None else []
        given += [("starter", request.starter_fd)] if request.starter_fd is not None else []
        given += _streams(request.stdio)
        try:
            keeper = await self._send(CONTAINER, request, message, given)
        finally:
            os.close(inputs)
        if filter_:
            keeper.seccomp = filter_.descriptor, filter_.flags
        answer = await _begun(keeper)
        if answer["at"] == "failed":
            keeper.give_up()
            failed = foreign_start_failed if request.runtime else start_failed
            raise failed(answer["message"], parts.process.args[0] if parts.process.args else "")
        keeper.runtime = request.runtime
        return keeper

    async def exec(self, container: Keeper, request: ExecRequest) -> Keeper:
        """Start one more process in a running container. Raises StartFailed, Conflict, SystemFailure."""
        if container.pidfd < 0 or container.exited().done():
            raise Conflict(f"container {container.id} is not running")
        descriptor, flags = container.seccomp or (-1, 0)
        facts: sync.Facts = {"exec": True, "directory": str(request.directory), "seccomp_flags": flags}
        facts["loose"] = request.loose
        facts["keyring"] = f"_ses.{container.id}"
        facts["time"] = _has_own_clocks(container.pid)
        if container.runtime:
            facts.update(_foreign(container.runtime, container.id))
            facts["home"] = str(container.directory)
        inputs = sync.pack_inputs(facts, request.process)
        message = _message(request, "exec", container.cgroup, stdin_once=True)
        if container.runtime:
            message["runtime"] = facts["runtime"]
        pidfd = os.dup(container.pidfd)  # the container may end, and close its own, while a waiting pair is fetched
        given = [("inputs", inputs), ("pidfd", pidfd)]
        filter_ = os.dup(descriptor) if container.seccomp else -1
        given += [("seccomp", filter_)] if container.seccomp else []
        given += _streams(request.stdio)
        try:
            keeper = await self._send(EXEC, request, message, given)
        finally:
            fds.close_all((pidfd, inputs, filter_))
        answer = await _begun(keeper)
        if answer["at"] == "failed":
            keeper.give_up()
            raise (foreign_exec_failed if container.runtime else exec_failed)(answer["message"])
        return keeper

    def filter_of(self, profile: dict[str, Any] | None) -> tuple[int, int] | None:
        """The compiled filter of a profile as (descriptor, flags); the descriptor is the launcher's."""
        filter_, _ = self._filter(msgspec.json.encode(profile) if profile else b"", b"")
        return (filter_.descriptor, filter_.flags) if filter_ else None

    async def adopt(self, directory: Path) -> Keeper | None:
        """Reconnect to a keeper after a restart of the daemon; None when it is gone (its exit record tells then)."""
        return await adopt(directory)

    async def close(self) -> None:
        """End the spawner and the waiting pairs; keepers that keep something live on."""
        await self._pool.close()
        slots.sweep(self._layout, self._parent)
        slots.leave(self._layout, self._parent)
        for filter_ in self._filters.values():
            os.close(filter_.descriptor)
        self._filters.clear()

    def _filter(self, content: bytes, config: bytes) -> tuple[_Filter | None, bytes]:
        """The compiled filter of the document, and the document without it."""
        if content in (b"", b"null"):
            return None, config
        found = self._filters.get(content)
        if found is None:
            compiled = self._compiled.compile(msgspec.json.decode(content, type=Seccomp))
            found = _Filter(fds.in_memory("pier-seccomp", compiled.program), compiled.flags)
            self._filters[content] = found
        return found, config.replace(content, b"null", 1)

    def _facts(self, request: LaunchRequest, parts: _Config, filter_: _Filter | None) -> sync.Facts:
        resources = parts.linux.resources
        device_writes, program = limits.device_plan(resources, self._layout)
        facts: sync.Facts = {
            "directory": str(request.directory),
            "writes": [*limits.writes(resources, self._layout), *device_writes],
            "device_program": program.hex(),
            "seccomp_flags": filter_.flags if filter_ else 0,
            "init_binary": request.init_binary or "",
            "loose": request.loose,
            "hooks": request.before_pivot is not None,
            "state": request.state or {},
            "keyring": f"_ses.{request.id}" if request.new_keyring else "",
        }
        if request.runtime:
            facts.update(_foreign(request.runtime, request.id))
            facts["group"] = request.cgroup
        if isinstance(request.root, OverlayRoot):
            facts["lowers"], facts["upper"] = list(request.root.lowers), request.root.upper
            facts["work"] = request.root.work
        else:
            facts["plain"] = request.root.path
        return facts

    async def _send(
        self, kind: str, request: LaunchRequest | ExecRequest, message: sync.Message, given: list[tuple[str, int]]
    ) -> Keeper:
        """Give the request to a waiting pair."""
        request.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        early: list[int] = []
        for attachment in request.attachments:
            given.append(("attachment", attachment.fd))
            if attachment.early:
                early.append(fds.in_memory("pier-early", attachment.early))
                given.append(("early", early[-1]))
        message["fds"] = [name for name, _ in given]
        plain = not (request.tty or request.loose or "runtime" in message)
        if kind == CONTAINER and message["fds"] in _QUIET and plain:
            message = {"quiet": int("seccomp" in message["fds"]), **message}
        held = request.held if isinstance(request, LaunchRequest) else ()
        try:
            while True:
                keeper = Keeper(await self._pool.acquire(kind), request.id, message["cgroup"], tty=request.tty)
                keeper.directory, keeper.exit_path = request.directory, request.exit_path
                keeper.before_pivot = request.before_pivot if isinstance(request, LaunchRequest) else None
                try:
                    for start in range(0, len(held), _HELD_PER_MESSAGE):
                        keeper.send({"do": "hold"}, held[start : start + _HELD_PER_MESSAGE])
                    keeper.send(message, tuple(descriptor for _, descriptor in given))
                except ConnectionError:
                    keeper.close()  # it died while it waited: the next one, then
                    continue
                return keeper
        finally:
            fds.close_all(early)


def _foreign(runtime: ForeignRuntime, container: str) -> sync.Facts:
    """What a creator needs of a runtime that is not the built-in one."""
    return {"runtime": runtime.message(), "container": container}


def _has_own_clocks(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}/ns/time").st_ino != os.stat("/proc/self/ns/time").st_ino
    except OSError:
        return False  # it has ended, as the start itself will say, or the kernel has no time namespaces


def _parse(config: bytes) -> _Config:
    try:
        return msgspec.json.decode(config, type=_Config)
    except msgspec.DecodeError as error:
        raise InvalidParameter(f"invalid config.json: {error}") from None


def _message(request: LaunchRequest | ExecRequest, kind: str, group: str, *, stdin_once: bool) -> sync.Message:
    return {
        "id": request.id,
        "do": "launch",
        "v": sync.VERSION,
        "kind": kind,
        "directory": str(request.directory),
        "exit_path": str(request.exit_path) if request.exit_path else "",
        "tty": request.tty,
        "cgroup": group,
        "open_stdin": request.open_stdin,
        "stdin_once": stdin_once,
        "size": request.size,
        "seccomp_flags": 0,
        "attachments": [attachment.wants() for attachment in request.attachments],
        "loose": request.loose,
    }


def _streams(stdio: Stdio | None) -> list[tuple[str, int]]:
    """The descriptors that the caller gives instead of pipes of the keeper's."""
    if stdio is None:
        return []
    preserved = [("preserved", descriptor) for descriptor in stdio.preserved]
    if stdio.console is not None:
        return [("console", stdio.console), *preserved]
    return [("stdin", stdio.stdin), ("stdout", stdio.stdout), ("stderr", stdio.stderr), *preserved]


async def _begun(keeper: Keeper) -> sync.Message:
    try:
        return await keeper.begun()
    except BaseException:
        keeper.give_up()
        raise
