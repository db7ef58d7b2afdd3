"""Processes: pidfds, prctl(2), titles, and exit statuses."""

import _signal  # type: ignore[import-not-found]  # the enumerations of `signal` cost a keeper memory
import os
import signal

from pier.kernel.libc import call, syscall

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
# As C has them: the dress of enumerations, and ctypes, would cost a keeper pages of memory.
_SIGCHLD, _DEFAULT, _set_handler = int(signal.SIGCHLD), int(signal.SIG_DFL), _signal.signal
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38


def pidfd_open(process: int) -> int:
    """A descriptor that names the process for ever, even after its number is used again."""
    return os.pidfd_open(process)


def pidfd_send_signal(pidfd: int, number: int) -> None:
    """Send a signal to the process behind a pidfd. Raises ProcessLookupError when it is gone."""
    signal.pidfd_send_signal(pidfd, number)


def prctl(option: int, argument: int | bytes = 0) -> None:
    """prctl(2) with one argument."""
    call("prctl", option, argument, 0, 0, 0)


def set_parent_death_signal(number: int) -> None:
    """Ask for a signal when the parent dies; a change of credentials forgets it."""
    prctl(PR_SET_PDEATHSIG, number)


def set_dumpable(*, dumpable: bool) -> None:
    """Whether others of this user may ptrace the process or open its descriptors (CVE-2016-9962)."""
    prctl(PR_SET_DUMPABLE, int(dumpable))


def set_no_new_privileges() -> None:
    """From now on execve grants nothing more."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def set_keep_capabilities(*, keep: bool) -> None:
    """Whether the permitted capabilities survive the change from root to another user."""
    prctl(PR_SET_KEEPCAPS, int(keep))


def set_subreaper(*, subreaper: bool = True) -> None:
    """Whether orphans below this process become its children."""
    prctl(PR_SET_CHILD_SUBREAPER, int(subreaper))


def default_child_signal() -> None:
    """Undo an inherited SIG_IGN of SIGCHLD, so that children can be waited for."""
    _set_handler(_SIGCHLD, _DEFAULT)


def keep_thread_number() -> None:
    """Undo what fork(3) asks of the kernel: to clear the thread's number, in its memory, when the process ends.

    A creator ends while its child goes on in that memory, where libc would take a lock of its own for somebody else's.
    """
    syscall("set_tid_address", None)


def sink_oom_score() -> str:
    """Be among the last that the kernel kills for memory; the score before. Refused without CAP_SYS_RESOURCE: ""."""
    with open("/proc/self/oom_score_adj") as file:
        before = file.read().strip()
    try:
        set_oom_score("-999")
    except OSError:
        return ""
    return before


def set_oom_score(score: str) -> None:
    """How readily the kernel kills this process for memory; with "" it is left. Raises OSError."""
    if score:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, score.encode())
        finally:
            os.close(descriptor)


def set_name(name: str) -> None:
    """The name that `ps -o comm` shows, at most 15 bytes."""
    descriptor = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, name.encode()[:15])
    finally:
        os.close(descriptor)


class Title:
    """The command line that `ps` shows, written over the arguments that the process was started with."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb", buffering=0) as stat:
            fields = stat.read().rpartition(b")")[2].split()
        self._start, self._end = int(fields[45]), int(fields[46])

    def set(self, title: str | bytes) -> None:
        """Show `title`, cut to the room there is."""
        room = self._end - self._start
        if room > 1:
            text = title if isinstance(title, bytes) else title.encode()
            memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(memory, text[: room - 1].ljust(room, b"\0"), self._start)
            finally:
                os.close(memory)


def exit_code(status: os.waitid_result) -> int:
    """A shell's exit code of a waited-for process: its own, or 128 plus the signal that killed it."""
    return status.si_status if status.si_code == os.CLD_EXITED else 128 + status.si_status
