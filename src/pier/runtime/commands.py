"""The commands of the OCI command line, each a function of its arguments that returns an exit code."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from pier.kernel import cgroup
from pier.kernel.capabilities import NAMES
from pier.runtime import bundle as bundles
from pier.runtime import limits
from pier.runtime.containers import Container, Store, born, end_group
from pier.runtime.launch import ExecRequest, Keeper, Launcher, LaunchRequest
from pier.runtime.requests import PlainRoot, Stdio
from pier.runtime.sync import Message
from pier.spec.errors import Conflict, InvalidParameter, StartFailed, SystemFailure
from pier.spec.runtime_config import OCI_VERSION

Arguments = argparse.Namespace


def create(arguments: Arguments) -> int:
    """Make a container, up to the point where its program would start."""
    store = Store(arguments.root)
    config = bundles.load(arguments.bundle)
    directory = store.make(arguments.id)
    group = bundles.cgroup_path(config, arguments.id)
    try:
        with store.listen(directory) as listener, _stdio(arguments, config["process"]) as stdio:
            request = LaunchRequest(
                id=arguments.id,
                directory=directory / "root",
                config=json.dumps(config).encode(),
                root=PlainRoot(config["root"]["path"]),
                cgroup=group,
                exit_path=None,
                tty=bool(config["process"].get("terminal")),
                size=_size(config["process"]),
                loose=True,
                starter_fd=listener.fileno(),
                stdio=stdio,
            )
            keeper = asyncio.run(_launch(directory, request))
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        version, notes = str(config.get("ociVersion", OCI_VERSION)), dict(config.get("annotations") or {})
        container = Container(
            arguments.id,
            str(arguments.bundle),
            keeper.pid,
            born(keeper.pid),
            group,
            now,
            version,
            notes,
            str(directory),
        )
        store.save(container)
        for point in ("prestart", "createRuntime"):
            _hooks(config, point, container.state())
    except BaseException:
        with contextlib.suppress(OSError, TimeoutError):
            end_group(group)
        store.forget(arguments.id)
        raise
    _write_pid(arguments, container.pid)
    return 0


async def _launch(directory: Path, request: LaunchRequest) -> Keeper:
    launcher = await Launcher.start(exec_root=directory, instance="", cgroup_parent=os.path.dirname(request.cgroup))
    try:
        return await launcher.launch(request)
    finally:
        await launcher.close()


def start(arguments: Arguments) -> int:
    """Start the program of a created container."""
    container = Store(arguments.root).find(arguments.id)
    status = container.status()
    if status != "created":
        raise Conflict(f"cannot start a container that has {_PAST.get(status, status)}")
    if failed := container.start():
        raise StartFailed(f"unable to start container process: {failed}", 1)
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    _hooks(config, "poststart", container.state())
    return 0


_PAST = {"stopped": "stopped", "running": "already started", "paused": "been paused"}


def run(arguments: Arguments) -> int:
    """Create and start; wait for the end unless detached."""
    create(arguments)
    container = Store(arguments.root).find(arguments.id)
    pidfd = os.pidfd_open(container.pid)
    start(arguments)
    if arguments.detach:
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda caught, _frame: signal.pidfd_send_signal(pidfd, caught))
    _, status = os.waitpid(container.pid, 0)
    if not arguments.keep:
        delete(argparse.Namespace(**{**vars(arguments), "force": True}))
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def exec_(arguments: Arguments) -> int:
    """Run one more process in a container."""
    container = Store(arguments.root).find(arguments.id)
    if container.status() != "running":
        raise Conflict(f"cannot exec in a {container.status()} container")
    process = _process(arguments, container)
    with _stdio(arguments, process) as stdio:
        pid = asyncio.run(_exec(container, process, stdio))
    _write_pid(arguments, pid)
    if arguments.detach:
        return 0
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


async def _exec(container: Container, process: Message, stdio: Stdio) -> int:
    directory = Path(container.directory)
    request = ExecRequest(
        id=container.id,
        directory=directory / f"exec-{os.getpid()}",
        process=json.dumps(process).encode(),
        tty=bool(process.get("terminal")),
        size=_size(process),
        loose=True,
        stdio=stdio,
    )
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    launcher = await Launcher.start(exec_root=directory, instance="", cgroup_parent="/")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        init = Keeper(ours, container.id, container.cgroup, tty=False)
        init.pidfd = os.pidfd_open(container.pid)
        init.seccomp = launcher.filter_of((config.get("linux") or {}).get("seccomp"))
        keeper = await launcher.exec(init, request)
        init.seccomp = None
        init.close()
        return keeper.pid
    finally:
        theirs.close()
        await launcher.close()


def _process(arguments: Arguments, container: Container) -> Message:
    config = json.loads(Path(container.bundle, "config.json").read_bytes())
    if arguments.process:
        process: Message = json.loads(arguments.process.read_bytes())
        return process
    process = dict(config["process"], args=arguments.command, terminal=arguments.tty)
    process.pop("consoleSize", None)
    process["env"] = [*process.get("env", []), *arguments.env]
    process["cwd"] = arguments.cwd or process.get("cwd", "/")
    if arguments.user:
        uid, _, gid = arguments.user.partition(":")
        process["user"] = {"uid": int(uid), "gid": int(gid or 0)}
    if not process["args"]:
        raise InvalidParameter("process args cannot be empty")
    return process


def state(arguments: Arguments) -> int:
    """Print a container's state."""
    print(json.dumps(Store(arguments.root).find(arguments.id).state(), indent=2))
    return 0


def list_(arguments: Arguments) -> int:
    """List the containers."""
    containers = Store(arguments.root).all()
    if arguments.format == "json":
        print(json.dumps([container.state() for container in containers]))
    elif arguments.quiet:
        print(*(container.id for container in containers), sep="\n")
    else:
        print(f"{'ID':12}{'PID':12}{'STATUS':12}{'BUNDLE':12}CREATED")
        for each in (container.state() for container in containers):
            print(f"{each['id']:<12}{each['pid']:<12}{each['status']:<12}{each['bundle']:<12}{each['created']}")
    return 0


def kill(arguments: Arguments) -> int:
    """Send a signal to a container's init, or to all its processes."""
    container = Store(arguments.root).find(arguments.id)
    number = _signal(arguments.signal)
    if container.status() == "stopped" and not arguments.all:
        raise Conflict("container not running")
    for pid in container.group().processes() if arguments.all else [container.pid]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return 0


def _signal(name: str) -> int:
    if name.isdigit():
        return int(name)
    try:
        return int(signal.Signals[f"SIG{name.upper().removeprefix('SIG')}"])
    except KeyError:
        raise InvalidParameter(f"unknown signal {name!r}") from None


def delete(arguments: Arguments) -> int:
    """Remove a container that has ended; with `--force` any."""
    store = Store(arguments.root)
    try:
        container = store.find(arguments.id)
    except Exception:
        if arguments.force:
            return 0
        raise
    status = container.status()
    if status != "stopped" and not arguments.force:
        if status != "created":
            raise Conflict(f"cannot delete container {container.id} that is not stopped: {status}")
        os.kill(container.pid, signal.SIGKILL)
    end_group(container.cgroup)
    _await_end(container)
    config = json.loads(Path(container.bundle, "config.json").read_bytes()) if container.bundle else {}
    _hooks(config, "poststop", container.state())
    store.forget(container.id)
    return 0


def _await_end(container: Container) -> None:
    if born(container.pid) == container.born:
        with contextlib.suppress(ProcessLookupError):
            os.kill(container.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while born(container.pid) == container.born:
        if time.monotonic() > deadline:
            raise SystemFailure(f"container {container.id} does not end")
        time.sleep(0.002)


def pause(arguments: Arguments) -> int:
    """Freeze every process."""
    Store(arguments.root).find(arguments.id).group().freeze()
    return 0


def resume(arguments: Arguments) -> int:
    """Let the frozen processes run."""
    Store(arguments.root).find(arguments.id).group().thaw()
    return 0


def ps(arguments: Arguments) -> int:
    """List the processes of a container."""
    pids = Store(arguments.root).find(arguments.id).group().processes()
    if arguments.format == "json":
        print(json.dumps(pids))
        return 0
    wanted = ",".join(str(pid) for pid in pids)
    return subprocess.run(["ps", "-f", "-p", wanted, *arguments.options], check=False).returncode if pids else 0


def update(arguments: Arguments) -> int:
    """Change the limits of a container; the resources are OCI's, from a file or standard input."""
    text = sys.stdin.read() if str(arguments.resources) == "-" else arguments.resources.read_text()
    container = Store(arguments.root).find(arguments.id)
    container.group().update(limits.writes(json.loads(text), cgroup.detect()))
    return 0


def spec(arguments: Arguments) -> int:
    """Write a config.json to begin with."""
    path = arguments.bundle / "config.json"
    if path.exists():
        raise Conflict("File config.json exists. Remove it first")
    path.write_text(json.dumps(bundles.default_spec(), indent="\t") + "\n")
    return 0


def features(_arguments: Arguments) -> int:
    """Print what the runtime can do, in the specification's words."""
    layout = cgroup.detect()
    answer = {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": OCI_VERSION,
        "hooks": ["prestart", "createRuntime", "poststart", "poststop"],
        "linux": {
            "namespaces": ["cgroup", "ipc", "mount", "network", "pid", "time", "uts"],
            "capabilities": list(NAMES),
            "cgroup": {"v1": bool(layout.v1), "v2": bool(layout.unified), "systemd": False, "systemdUser": False},
            "seccomp": {"enabled": True},
            "apparmor": {"enabled": True},
            "selinux": {"enabled": False},
        },
    }
    print(json.dumps(answer, indent=2))
    return 0


def _hooks(config: Message, point: str, state_: Message) -> None:
    """Run hooks with the state on their standard input; one that fails fails the command, but after the start."""
    for hook in (config.get("hooks") or {}).get(point) or []:
        environment = dict(entry.split("=", 1) for entry in hook.get("env") or [])
        command = [*(hook.get("args") or [hook["path"]])]
        done = subprocess.run(
            command,
            executable=hook["path"],
            env=environment,
            input=json.dumps(state_).encode(),
            timeout=hook.get("timeout"),
            check=False,
        )
        if done.returncode and not point.startswith("post"):
            raise SystemFailure(f"error running {point} hook: exit status {done.returncode}")


def _size(process: Message) -> tuple[int, int] | None:
    size = process.get("consoleSize")
    return (size["height"], size["width"]) if size and process.get("terminal") else None


@contextlib.contextmanager
def _stdio(arguments: Arguments, process: Message):  # type: ignore[no-untyped-def]
    """The caller's streams, or the socket that it wants the terminal sent to."""
    if not process.get("terminal"):
        yield Stdio()
        return
    if not arguments.console_socket:
        raise InvalidParameter("cannot allocate tty without --console-socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(arguments.console_socket))
        yield Stdio(console=connection.fileno())


def _write_pid(arguments: Arguments, pid: int) -> None:
    if arguments.pid_file:
        temporary = arguments.pid_file.with_name(f".{arguments.pid_file.name}.{os.getpid()}")
        temporary.write_text(str(pid))
        temporary.rename(arguments.pid_file)
