"""What a creator does when a container is another runtime's: the bundle, `create`, `start`; or `exec`; and the end.

*Theory of operation*: the root is mounted in a mount namespace of the creator's own, which the runtime is run in and
which goes with the creator, so nothing of it is ever on the host. The keeper is a subreaper meanwhile: the
container's init, orphaned by the runtime's end, becomes the keeper's child, and the keeper waits for it as for one
of its own. That parentage is also the proof of a pid file: a process that is not the keeper's child is refused,
whatever the file says. Loaded by creators of foreign containers only.
"""

import errno
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import time
from typing import NoReturn

from pier.kernel import fds, namespaces, process, pty
from pier.kernel import mount as m
from pier.runtime import filesystem as fs
from pier.runtime import foreign
from pier.runtime.foreign import ForeignRuntime, Places
from pier.runtime.steps import Failure, Stage, reason, walk
from pier.runtime.sync import Facts, Message

_OPTIONS = (("index", "off"), ("redirect_dir", "off"), ("metacopy", "off"))
# What Python ignores, and no program that it starts should.
_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)
# How long a runtime may take to put a container away; what is left is killed then.
_FAREWELL = 10.0
_LOG_READ = 1 << 20


def start(stage: Stage, facts: Facts, document: Message) -> NoReturn:
    """Start a container or an exec, tell the keeper its process, and wait to be ended. Raises Failure."""
    process.set_dumpable(dumpable=True)  # the runtime opens descriptors of ours by their names below /proc
    call = Call(stage, facts)
    pid = call.execute(document) if facts.get("exec") else call.create(document)
    stage.tell({"at": "process", "pid": pid})
    while True:
        signal.pause()


class Call:
    """One start by a foreign runtime, with one deadline for all its commands."""

    def __init__(self, stage: Stage, facts: Facts) -> None:
        self._stage = stage
        self._facts = facts
        self._runtime = ForeignRuntime.of(facts["runtime"])
        self._places = Places(f"{facts['directory']}/{foreign.BUNDLE}")
        self._deadline = time.monotonic() + self._runtime.patience

    def create(self, config: Message) -> int:
        """The process of a new container, whose program runs."""
        identity = self._facts["container"]
        _make_anew(self._places.bundle)
        namespaces.unshare(namespaces.CLONE_NEWNS)
        _keep_to_ourselves(self._places.bundle)
        self._mount_root(config)
        netns = f"/proc/{os.getpid()}/fd/{self._stage.netns}" if self._stage.netns >= 0 else ""
        document = foreign.configuration(
            config,
            rootfs=self._places.rootfs,
            group=self._facts["group"],
            netns=netns,
            init=self._facts.get("init_binary", ""),
            size=self._stage.size,
            sources=self._borrow(foreign.borrowed(config)),
        )
        _write(self._places.config, document)
        pid = self._make("create", foreign.create, identity, self._places.state)
        self._run("start", foreign.command(self._runtime, self._places, self._places.state, ("start", identity)), [])
        return pid

    def execute(self, document: Message) -> int:
        """The process of an exec in a container of the runtime's."""
        _make_anew(self._places.bundle)
        try:
            _write(self._places.config, foreign.sized(document, self._stage.size))
            state = Places(f"{self._facts['home']}/{foreign.BUNDLE}").state
            return self._make("exec", foreign.execute, self._facts["container"], state)
        finally:
            shutil.rmtree(self._places.bundle, ignore_errors=True)

    def _mount_root(self, config: Message) -> None:
        os.mkdir(self._places.rootfs, 0o700)
        facts = self._facts
        root: fs.OverlayRoot | fs.PlainRoot
        if "lowers" in facts:
            root = fs.OverlayRoot(tuple(facts["lowers"]), facts["upper"], facts["work"], self._places.rootfs, _OPTIONS)
        else:
            root = fs.PlainRoot(facts.get("plain") or config["root"]["path"], self._places.rootfs)
        walk((root,), self._stage)

    def _borrow(self, wanted: dict[int, str]) -> dict[int, str]:
        """Copy mounts of other containers to where the runtime can bind them from."""
        taken: dict[int, str] = {}
        for number, source in wanted.items():
            walk((fs.BindSource(number, source, source, recursive=True),), self._stage)
            taken[number] = f"{self._places.sources}/{number}"
            os.makedirs(taken[number])
            target = os.open(taken[number], os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            m.move_mount(self._stage.sources.pop(number), target)
            os.close(target)
        return taken

    def _make(self, what: str, words: "Words", identity: str, state: str) -> int:
        """Run the command that makes a process; what it has made, checked."""
        if not self._stage.tty:
            line = foreign.command(self._runtime, self._places, state, words(identity, self._places, ""))
            self._run(what, line, self._stage.stdio)
            return self._made(what)
        directory = os.open(self._places.bundle, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            # a socket's path has 107 bytes at most, also the one that the runtime gets
            path = f"/proc/{os.getpid()}/fd/{directory}/console.sock"
            listener.bind(path)
            listener.listen(1)
            line = foreign.command(self._runtime, self._places, state, words(identity, self._places, path))
            self._run(what, line, [])
            terminal = self._terminal(what, listener)
        os.close(directory)
        pid = self._made(what)
        if self._stage.size:
            pty.set_size(terminal, *self._stage.size)
        fds.send(self._stage.channel, b'{"at":"terminal"}', [terminal, pty.peer(terminal)])
        return pid

    def _terminal(self, what: str, listener: socket.socket) -> int:
        """The terminal that the runtime has sent before its command ended."""
        listener.settimeout(0)
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(max(self._deadline - time.monotonic(), 0.001))
                if not select.select([connection], [], [], max(self._deadline - time.monotonic(), 0))[0]:
                    raise TimeoutError
                _, descriptors = fds.receive(connection, 4096)
        except OSError:
            descriptors = []
        if len(descriptors) != 1 or not os.isatty(descriptors[0]):
            raise Failure(self._failed(what, f"{self._runtime.path} sent no terminal"))
        return descriptors[0]

    def _made(self, what: str) -> int:
        """The process that the runtime says it has made, which must be an orphan that has come to the keeper."""
        try:
            with open(self._places.pid, "rb") as file:
                text = file.read(32).decode().strip()
            pid = int(text) if text.isascii() and text.isdigit() else 0
        except (OSError, ValueError):
            pid = 0
        if not pid:
            raise Failure(self._failed(what, f"{self._runtime.path} wrote no process number"))
        if pid == os.getpid() or parent_of(pid) != os.getppid():
            raise Failure(self._failed(what, f"{self._runtime.path} named process {pid}, which it has not made"))
        return pid

    def _run(self, what: str, line: tuple[str, ...], stdio: list[int]) -> None:
        """Run one command of the runtime's to its end. Raises Failure in its own words."""
        try:
            status = run(line, stdio, self._deadline - time.monotonic())
        except TimeoutError:
            raise Failure(
                self._failed(what, f"{self._runtime.path} did not answer within {self._runtime.patience:g} seconds")
            ) from None
        except OSError as error:
            raise Failure(self._failed(what, f"fork/exec {self._runtime.path}: {reason(error)}")) from None
        if status:
            raise Failure(self._failed(what, f"exit status {status}" if status < 256 else "it was killed"))

    def _failed(self, what: str, why: str) -> str:
        try:
            with open(self._places.log, "rb") as file:
                file.seek(max(os.fstat(file.fileno()).st_size - _LOG_READ, 0))
                log = file.read(_LOG_READ)
        except OSError:
            log = b""
        return f"OCI runtime {what} failed: {foreign.complaint(log, why)}"


def run(line: tuple[str, ...], stdio: list[int], seconds: float) -> int:
    """Run a program; its exit status, or 256 and the signal. Raises TimeoutError once it is killed, OSError."""
    said, saying = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if not child:
        _become(line, stdio, saying)
    os.close(saying)
    pidfd = os.pidfd_open(child)
    try:
        waiter = select.poll()
        waiter.register(pidfd, select.POLLIN)
        if not waiter.poll(max(seconds, 0) * 1000):
            _kill_group(child)
            os.waitpid(child, 0)
            raise TimeoutError
        _, status = os.waitpid(child, 0)
        failed = os.read(said, 16)
    finally:
        os.close(pidfd)
        os.close(said)
    if failed:
        number = int(failed)
        raise OSError(number, os.strerror(number))
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 256 + os.WTERMSIG(status)


def _become(line: tuple[str, ...], stdio: list[int], saying: int) -> NoReturn:
    try:
        os.setsid()
        process.set_parent_death_signal(signal.SIGKILL)
        nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        streams = [descriptor if descriptor >= 0 else nothing for descriptor in (stdio or [-1, -1, -1])]
        high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 64) for descriptor in streams]
        for number, descriptor in enumerate(high):
            os.dup2(descriptor, number)
        for ignored in _IGNORED:
            signal.signal(ignored, signal.SIG_DFL)
        os.execvp(line[0], line)  # noqa: S606
    except OSError as error:
        os.write(saying, str(error.errno or errno.ENOENT).encode())
    finally:
        os._exit(127)


def put_away(request: Message) -> None:
    """Put a container away: the runtime's own `delete`, whatever is left of its processes, and the bundle.

    To be called in a child of the keeper's, in the host's mount namespace. Of an exec only stray processes are left.
    """
    runtime = ForeignRuntime.of(request["runtime"])
    places = Places(f"{request['directory']}/{foreign.BUNDLE}")
    if request["kind"] == "container":
        line = foreign.command(runtime, places, places.state, ("delete", "--force", request["id"]))
        try:
            run(line, [], min(_FAREWELL, runtime.patience))
        except OSError:
            pass  # what it has left is taken away here, and its control group by the keeper
    _end_strays(os.getppid())
    shutil.rmtree(places.bundle, ignore_errors=True)


def _end_strays(keeper: int) -> None:
    """Kill what a runtime that failed has left to the keeper, and then what that has left to it."""
    until = time.monotonic() + _FAREWELL
    while time.monotonic() < until:
        strays = [pid for pid in _children(keeper) if pid != os.getpid() and _lives(pid)]
        if not strays:
            return
        for pid in strays:
            try:
                pidfd = os.pidfd_open(pid)
            except ProcessLookupError:
                continue
            _kill(pid)
            select.select([pidfd], [], [], 1.0)
            os.close(pidfd)


def parent_of(pid: int) -> int:
    """The parent of a process; 0 for none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in b"ZX"
    except OSError:
        return False


def _children(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(child) for child in file.read().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _kill_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        _kill(leader)


def _make_anew(directory: str) -> None:
    """An empty directory; what a killed keeper has left there is taken away first."""
    shutil.rmtree(directory, ignore_errors=True)
    os.mkdir(directory, 0o700)


def _keep_to_ourselves(directory: str) -> None:
    """Make the mount that holds the directory private here, so that what is mounted below it shows nowhere else.

    The others stay as they are: a bind mount that shall be shared with the host needs its source to be.
    """
    while not os.path.ismount(directory):
        directory = os.path.dirname(directory)
    m.mount(None, directory, None, m.MS_PRIVATE)


def _write(path: str, document: Message) -> None:
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        json.dump(document, file)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Words = Callable[[str, Places, str], tuple[str, ...]]
