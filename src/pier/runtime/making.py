"""The commands that make processes: create, run and exec. They need the launcher, which the others do without."""

import argparse
import asyncio
import contextlib
import json
import os
import re
import socket
from datetime import UTC, datetime
from pathlib import Path

from pier.runtime import bundle as bundles
from pier.runtime import hooks
from pier.runtime.caller import stdio, wait, write_pid
from pier.runtime.commands import end, start
from pier.runtime.containers import Container, Store, born, end_group
from pier.runtime.launch import ExecRequest, Keeper, Launcher, LaunchRequest
from pier.runtime.requests import PlainRoot, Stdio
from pier.runtime.steps import Failure
from pier.runtime.sync import Message
from pier.spec.errors import Conflict, InvalidParameter
from pier.spec.oci_version import OCI_VERSION

Arguments = argparse.Namespace


def create(arguments: Arguments) -> int:
    """Make a container, up to the point where its program would start."""
    config = bundles.load(arguments.bundle)
    with stdio(arguments, config["process"], waits=False) as streams:
        _create(arguments, config, streams)
    return 0


def _create(arguments: Arguments, config: Message, streams: Stdio) -> Container:
    store = Store(arguments.root)
    directory = store.make(arguments.id)
    group = bundles.cgroup_path(config, arguments.id)
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    version, notes = str(config.get("ociVersion", OCI_VERSION)), dict(config.get("annotations") or {})
    container = Container(
        arguments.id, str(arguments.bundle), 0, "", group, now, version, notes, str(directory), config["root"]["path"]
    )
    _listed(config, streams)
    try:
        with store.listen(directory) as listener:
            request = _request(arguments, config, container, streams, listener.fileno())
            keeper = asyncio.run(_launch(directory, request))
        container.pid, container.born = keeper.pid, born(keeper.pid)
        write_pid(arguments, container.pid)
        store.save(container)
    except BaseException:
        with contextlib.suppress(OSError, TimeoutError):
            end_group(group)
        store.forget(arguments.id)
        raise
    return container


def _request(
    arguments: Arguments, config: Message, container: Container, streams: Stdio, starter: int
) -> LaunchRequest:
    points = config.get("hooks") or {}
    before = [*(points.get("prestart") or []), *(points.get("createRuntime") or [])]

    def run_hooks(pid: int) -> str:
        try:
            hooks.run(tuple(before), {**container.state("creating"), "pid": pid})
        except Failure as failure:
            return failure.message
        return ""

    return LaunchRequest(
        id=arguments.id,
        directory=Path(container.directory, "root"),
        config=json.dumps(config).encode(),
        root=PlainRoot(config["root"]["path"]),
        cgroup=container.cgroup,
        exit_path=None,
        tty=bool(config["process"].get("terminal")),
        size=_size(config["process"]),
        loose=True,
        starter_fd=starter,
        stdio=streams,
        before_pivot=run_hooks if before else None,
        state=container.state("creating"),
        new_keyring=not arguments.no_new_keyring,
    )


def _listed(config: Message, streams: Stdio) -> None:
    """Tell the program of sockets that the caller was given by sd_listen_fds(3), and gives on."""
    if (count := os.environ.get("LISTEN_FDS", "")).isdigit() and streams.preserved:
        config["process"]["env"] = [*(config["process"].get("env") or []), f"LISTEN_FDS={count}", "LISTEN_PID=1"]


async def _launch(directory: Path, request: LaunchRequest) -> Keeper:
    parent = os.path.dirname(request.cgroup)
    launcher = await Launcher.start(exec_root=directory, instance="", cgroup_parent=parent, once=True)
    try:
        return await launcher.launch(request)
    finally:
        await launcher.close()


def run(arguments: Arguments) -> int:
    """Create and start; wait for the end unless detached."""
    config = bundles.load(arguments.bundle)
    with stdio(arguments, config["process"], waits=not arguments.detach) as streams:
        container = _create(arguments, config, streams)
        try:
            start(arguments)
            code = 0 if arguments.detach else wait(container.pid, streams)
        except BaseException:
            end(Store(arguments.root), container)
            raise
    if not arguments.detach and not arguments.keep:
        end(Store(arguments.root), container)
    return code


def exec_(arguments: Arguments) -> int:
    """Run one more process in a container."""
    container = Store(arguments.root).find(arguments.id)
    status = container.status()
    if status == "stopped":
        raise Conflict("cannot exec in a stopped container")
    if status == "paused" and not arguments.ignore_paused:
        raise Conflict("cannot exec in a paused container (use --ignore-paused to override)")
    process = _process(arguments, container)
    with stdio(arguments, process, waits=not arguments.detach) as streams:
        pid = asyncio.run(_exec(container, process, streams))
        write_pid(arguments, pid)
        return 0 if arguments.detach else wait(pid, streams)


async def _exec(container: Container, process: Message, streams: Stdio) -> int:
    directory = Path(container.directory)
    request = ExecRequest(
        id=container.id,
        directory=directory / f"exec-{os.getpid()}",
        process=json.dumps(process).encode(),
        tty=bool(process.get("terminal")),
        size=_size(process),
        loose=True,
        stdio=streams,
    )
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    launcher = await Launcher.start(exec_root=directory, instance="", cgroup_parent="/", once=True)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        init = Keeper(ours, container.id, container.cgroup, tty=False)
        init.pid, init.pidfd = container.pid, os.pidfd_open(container.pid)
        init.seccomp = launcher.filter_of((config.get("linux") or {}).get("seccomp"))
        keeper = await launcher.exec(init, request)
        init.seccomp = None
        init.close()
        return keeper.pid
    finally:
        theirs.close()
        await launcher.close()


def _process(arguments: Arguments, container: Container) -> Message:
    """The process object: of a file, or the container's own with what the flags change."""
    if arguments.process:
        process: Message = bundles.without_nulls(json.loads(arguments.process.read_bytes()))
        bundles.check_types(process, "Process", "process")
        return process
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    process = dict(config["process"], args=arguments.rest, terminal=arguments.tty)
    process.pop("consoleSize", None)
    process["env"] = [*(process.get("env") or []), *arguments.env]
    process["cwd"] = arguments.cwd or process.get("cwd", "/")
    user = dict(process.get("user") or {})
    if arguments.user:
        uid, _, gid = arguments.user.partition(":")
        user = {"uid": _number(uid, "uid"), "gid": _number(gid or "0", "gid")}
    user["additionalGids"] = [*(user.get("additionalGids") or []), *arguments.additional_gids]
    process["user"] = user
    if arguments.cap:
        sets = dict(process.get("capabilities") or {})
        for name in ("bounding", "effective", "permitted", "ambient"):
            sets[name] = [*(sets.get(name) or []), *arguments.cap]
        process["capabilities"] = sets
    if arguments.no_new_privs:
        process["noNewPrivileges"] = True
    if arguments.apparmor:
        process["apparmorProfile"] = arguments.apparmor
    if not process["args"]:
        raise InvalidParameter("process args cannot be empty")
    return process


def _number(text: str, what: str) -> int:
    if not re.fullmatch(r"[+-]?\d+", text):
        message = f"parsing {text} as int for {what} failed: strconv.Atoi: parsing {json.dumps(text)}: invalid syntax"
        raise InvalidParameter(message)
    return int(text)


def _size(process: Message) -> tuple[int, int] | None:
    size = process.get("consoleSize")
    return (size["height"], size["width"]) if size and process.get("terminal") else None
