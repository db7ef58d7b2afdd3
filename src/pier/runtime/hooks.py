"""Hooks: programs of the caller's that run at a point of a container's life, with its state on their standard input.

`createContainer` and `startContainer` are run by the container's first process in its namespaces, the rest by the
command line. Nothing is imported when one is run. Source: the runtime-spec's «POSIX-platform Hooks».
"""

import json
import os
import select
import signal
import time

from pier.kernel import fds, namespaces, process
from pier.runtime import sync
from pier.runtime.config import Hook
from pier.runtime.steps import Failure, Stage, Step, reason
from pier.runtime.sync import Message

_PIECE = 65536


class AwaitHooks(Step):
    """Stand still before pivot_root until the caller has run its hooks."""

    def context(self) -> str:
        return "error running hooks"

    def apply(self, stage: Stage) -> None:
        stage.await_creator_end()
        stage.tell({"at": "hooks"})
        while not stage.channel.recv(1):
            signal.pause()


class RunHooks(Step):
    """Run hooks in the container's namespaces."""

    hooks: tuple[Hook, ...]
    state: Message

    def apply(self, stage: Stage) -> None:
        stage.await_creator_end()  # the memory is ours alone then, and may be forked
        run(self.hooks, {**self.state, "pid": os.getpid()})


def relay(caller: fds.Socket, channel: fds.Socket, pid: int) -> str | None:
    """The keeper's part of `AwaitHooks`: ask the caller, let the first process go on; what failed, if a hook did."""
    sync.send(caller, {"at": "hooks", "pid": pid})
    answer, _ = sync.receive(caller)
    if answer is None or answer.get("failed"):
        os.kill(pid, signal.SIGKILL)
        return str(answer["failed"]) if answer else "nobody waits for the container"
    channel.send(b"!")
    return None


def run(hooks: tuple[Hook, ...], state: Message) -> None:
    """Run each hook in turn. Raises Failure in runc's words for the first that fails."""
    text = json.dumps(state).encode()
    for number, hook in enumerate(hooks):
        try:
            failed = _run(hook, text)
        except OSError as error:
            failed = f"error running hook: fork/exec {hook['path']}: {reason(error)}, stdout: , stderr: "
        if failed:
            raise Failure(f"error running hook #{number}: {failed}")


def _run(hook: Hook, state: bytes) -> str:
    """Run one hook; what failed, or ""."""
    end, began = os.pipe2(os.O_CLOEXEC)
    pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
    pid = namespaces.clone(0)
    if pid == 0:
        _become(hook, [pipes[0][0], pipes[1][1], pipes[2][1]], began)
    fds.close_all((began, pipes[0][0], pipes[1][1], pipes[2][1]))
    ours = [pipes[0][1], pipes[1][0], pipes[2][0]]
    try:
        number = os.read(end, 4)
        if number:
            os.waitpid(pid, 0)
            raise OSError(int.from_bytes(number, "little"), "execve")
        return _converse(pid, ours, state, hook.get("timeout"))
    finally:
        fds.close_all((end, *ours))


def _become(hook: Hook, streams: list[int], began: int) -> None:
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number, inheritable=True)
        fds.mark_close_on_exec(3)
        for number in range(1, 32):
            if number not in (signal.SIGKILL, signal.SIGSTOP):
                signal.signal(number, signal.SIG_DFL)
        environment = dict(entry.split("=", 1) for entry in hook.get("env") or [] if "=" in entry)
        os.execve(hook["path"], hook.get("args") or [hook["path"]], environment)  # noqa: S606
    except OSError as error:
        os.write(began, (error.errno or 1).to_bytes(4, "little"))
    finally:
        os._exit(127)


def _converse(pid: int, ours: list[int], state: bytes, timeout: int | None) -> str:
    """Write the state, read what the hook says, and wait for its end, not longer than `timeout` seconds."""
    pidfd = process.pidfd_open(pid)
    said: dict[int, bytes] = {ours[1]: b"", ours[2]: b""}
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    for descriptor in ours:
        os.set_blocking(descriptor, False)
        poll.register(descriptor, select.POLLOUT if descriptor == ours[0] else select.POLLIN)
    deadline = time.monotonic() + timeout if timeout else None
    ended = False
    try:
        while not ended:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return f"hook ran past specified timeout of {float(timeout or 0):.1f}s"
            ready = [descriptor for descriptor, _ in poll.poll(None if left is None else left * 1000)]
            ended = pidfd in ready
            if ours[0] in ready:
                state = _feed(poll, ours[0], state)
            _listen(poll, said, ready)
        _listen(poll, said, list(said))
    finally:
        os.close(pidfd)
    return _outcome(os.waitpid(pid, 0)[1], said[ours[1]], said[ours[2]])


def _feed(poll: select.poll, descriptor: int, state: bytes) -> bytes:
    """Write a piece of the state; what is left. The pipe is closed after the last, or when nobody reads it."""
    try:
        state = state[os.write(descriptor, state) :]
    except BlockingIOError:
        return state
    except BrokenPipeError:
        state = b""
    if not state:
        poll.unregister(descriptor)
        os.close(descriptor)
    return state


def _listen(poll: select.poll, said: dict[int, bytes], ready: list[int]) -> None:
    for descriptor in said:
        if descriptor not in ready:
            continue
        try:
            piece = os.read(descriptor, _PIECE)
        except BlockingIOError:
            continue
        said[descriptor] += piece
        if not piece:
            try:
                poll.unregister(descriptor)
            except KeyError:
                pass


def _outcome(status: int, out: bytes, error: bytes) -> str:
    if status == 0:
        return ""
    code = os.waitstatus_to_exitcode(status)
    how = f"exit status {code}" if code > 0 else f"signal: {signal.strsignal(-code) or -code}".lower()
    said, complained = (text.decode(errors="replace") for text in (out, error))
    return f"error running hook: {how}, stdout: {said}, stderr: {complained}"
