"""The steps that make a process who it shall be: terminal, limits, user, capabilities, filter, directory, program.

The order is runc's: without no_new_privs a filter needs CAP_SYS_ADMIN and goes first, with it the filter goes last.
"""

import errno
import fcntl
import os
import signal
import socket
import stat
from typing import NoReturn

from pier.kernel import capabilities, fds, openat2, process, pty, rlimits, seccomp
from pier.kernel import mount as m
from pier.kernel.libc import syscall
from pier.runtime import sync
from pier.runtime.steps import Failure, Stage, Step, reason

_JOIN_SESSION_KEYRING = 1
_SIGNALS = [number for number in range(1, 65) if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33)]


class Terminal(Step):
    """Open a terminal from the container's own devpts, hand its master to the keeper, and show it as /dev/console."""

    console: bool

    def context(self) -> str:
        return "error setting up the console"

    def apply(self, stage: Stage) -> None:
        root = stage.root if stage.root >= 0 else os.open("/", os.O_PATH | os.O_CLOEXEC)
        master, slave, _ = pty.open_pair(root)
        if stage.size:
            pty.set_size(slave, *stage.size)
        sync.send(stage.channel, {"at": "terminal"}, (master, slave))
        os.close(master)
        stage.stdio = [slave, slave, slave]
        if self.console:
            target = openat2.make_file(stage.root, "dev/console", 0o600)
            copy = m.open_tree(slave)
            m.move_mount(copy, target)
            fds.close_all((copy, target))


class SessionKeyring(Step):
    """Join a session keyring of the container's own, so that the caller's keys stay the caller's."""

    name: str

    def context(self) -> str:
        return "unable to join session keyring"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        try:
            syscall("keyctl", _JOIN_SESSION_KEYRING, self.name.encode() + b"\0", 0, 0, 0)
        except OSError as error:
            if error.errno != errno.ENOSYS:  # a kernel without keys has none to hide
                raise


class Session(Step):
    """Start a session with the terminal or the pipes as descriptors 0, 1 and 2, owned by the container's user."""

    uid: int

    def context(self) -> str:
        return "error setting up standard streams"

    def apply(self, stage: Stage) -> None:
        os.setsid()
        if stage.tty:
            pty.make_controlling(stage.stdio[0])
        for number, descriptor in enumerate(stage.stdio):
            os.dup2(descriptor, number, inheritable=True)
        for number in range(3):
            status = os.fstat(number)
            if status.st_uid != self.uid and not (stat.S_ISCHR(status.st_mode) and status.st_rdev == os.makedev(1, 3)):
                self._give(number)

    def _give(self, number: int) -> None:
        try:
            os.fchown(number, self.uid, -1)
        except OSError as error:  # as runc: of a read-only mount, or of nobody whom this user namespace knows
            if error.errno not in (errno.EROFS, errno.EPERM, errno.EINVAL):
                raise


class Rlimit(Step):
    """Set one limit."""

    number: int
    soft: int
    hard: int

    def context(self) -> str:
        return f"error setting rlimits for ready process: error setting rlimit type {self.number}"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        rlimits.set_limit(self.number, self.soft, self.hard)


class NoNewPrivileges(Step):
    """Set no_new_privs."""

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        process.set_no_new_privileges()


class SeccompFilter(Step):
    """Load the filter that came with the request."""

    flags: int

    def context(self) -> str:
        return "error loading seccomp filter"

    def apply(self, stage: Stage) -> None:
        seccomp.load(fds.read_all(stage.seccomp), self.flags)


class BoundingSet(Step):
    """Drop what is not in the bounding set, while we still may."""

    keep: int
    last: int

    def context(self) -> str:
        return "unable to apply bounding set"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        capabilities.drop_bounding(self.keep, self.last)
        process.set_keep_capabilities(keep=True)


class User(Step):
    """Become the user: groups first, then gid, then uid, all three of each."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    umask: int

    def context(self) -> str:
        return "unable to setup user"

    def apply(self, stage: Stage) -> None:
        if self.groups or not stage.groups_denied:
            os.setgroups(list(self.groups))
        os.setresgid(self.gid, self.gid, self.gid)
        os.setresuid(self.uid, self.uid, self.uid)
        os.umask(self.umask)


class CapabilitySets(Step):
    """Set effective, permitted and inheritable, then ambient."""

    effective: int
    permitted: int
    inheritable: int
    ambient: int

    def context(self) -> str:
        return "unable to apply caps"

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        process.set_keep_capabilities(keep=False)
        capabilities.set_capabilities(self.effective, self.permitted, self.inheritable)
        # the kernel refuses the others; runc's own `spec` asks for them
        if ambient := self.ambient & self.permitted & self.inheritable:
            capabilities.set_ambient(ambient)


class WorkingDirectory(Step):
    """Enter the working directory as the user, and see that it lies inside the root (CVE-2024-21626)."""

    path: str

    def context(self) -> str:
        return f'chdir to cwd ("{self.path}") set in config.json failed'

    def apply(self, stage: Stage) -> None:  # noqa: ARG002
        os.chdir(self.path)
        try:
            inside = os.getcwd().startswith("/")
        except FileNotFoundError:
            inside = False
        if not inside:
            raise Failure("current working directory is outside of container mount namespace root -- possible breakout")


class Execute(Step):
    """Find the program as the container's user would, settle the last things, and become it."""

    arguments: tuple[bytes, ...]
    environment: tuple[tuple[bytes, bytes], ...]
    late_filter: SeccompFilter | None
    tied: bool
    hooks: tuple[Step, ...] = ()

    def apply(self, stage: Stage) -> None:
        environment = dict(self.environment)
        program = find_program(self.arguments[0], environment.get(b"PATH", b""))
        stage.await_creator_end()
        process.set_parent_death_signal(signal.SIGKILL if self.tied else 0)
        if stage.starter >= 0:
            self._await_start(stage)
        for hooks in self.hooks:
            hooks.apply(stage)
        fds.mark_close_on_exec(3)
        if stage.preserved:
            _preserve(stage)
        _default_signals()
        if self.late_filter:
            self.late_filter.apply(stage)
        try:
            os.execve(program, self.arguments, environment)  # noqa: S606
        except OSError as error:
            _die(stage, f"exec {os.fsdecode(program)}: {reason(error)}\n")

    def _await_start(self, stage: Stage) -> None:
        """Say that all is ready, and wait for a connection, which then takes the channel's part (create and start)."""
        sync.send(stage.channel, {"at": "ready"})
        stage.channel.close()
        listener = socket.socket(fileno=stage.starter)
        stage.channel = listener.accept()[0]


def _preserve(stage: Stage) -> None:
    """Put the caller's descriptors at 3 and above, and out of the way what is there."""
    first = 3 + len(stage.preserved)
    free = fcntl.fcntl(stage.channel.fileno(), fcntl.F_DUPFD_CLOEXEC, first)
    stage.channel.close()
    stage.channel = fds.Socket(fileno=free)
    if stage.seccomp >= 0:
        stage.seccomp = fcntl.fcntl(stage.seccomp, fcntl.F_DUPFD_CLOEXEC, first)
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, first) for descriptor in stage.preserved]
    for number, descriptor in enumerate(moved, 3):
        os.dup2(descriptor, number, inheritable=True)


def find_program(name: bytes, path: bytes) -> bytes:
    """The program's path, looked up in `path` as Go's exec.LookPath does. Raises Failure in its words."""
    shown = os.fsdecode(name)
    if b"/" in name:
        problem = _unfit(name)
        if problem == errno.EACCES:
            raise Failure(f'exec: "{shown}": permission denied')
        if problem:
            raise Failure(f'exec: "{shown}": stat {shown}: {os.strerror(problem).lower()}')
        return name
    for directory in path.split(b":"):
        candidate = os.path.join(directory or b".", name)
        if name and not _unfit(candidate):
            return candidate
    raise Failure(f'exec: "{shown}": executable file not found in $PATH')


def _unfit(path: bytes) -> int:
    """0 for a file that this user may execute, else an errno."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return error.errno or errno.ENOENT
    return 0 if not stat.S_ISDIR(mode) and mode & 0o111 and os.access(path, os.X_OK) else errno.EACCES


def _default_signals() -> None:
    """What the interpreter ignores or handles is no business of the program."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _die(stage: Stage, message: str) -> NoReturn:
    """Docker counts a program that the kernel refuses as started: the message is its output and the exit code 1."""
    os.write(2, message.encode(errors="surrogateescape"))
    stage.channel.close()
    os._exit(1)
