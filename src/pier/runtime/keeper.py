"""The keeper: one small process per container or exec that holds its streams, serves its clients and records its end.

*Theory of operation*: forked ahead by the spawner, with its creator waiting beside it, the keeper sleeps until the
daemon's one message. It makes the pipes, hands the request to the creator, and when the creator's channel closes by
execve it answers. From then on it owes the daemon nothing: it lives until its container ends, whatever becomes of the
daemon, and a new daemon finds it by `keeper.sock` in its directory. At the end it drains the streams, removes the
control group, writes the exit record, and only then tells anyone. It imports nothing after its fork.
"""

import os
import signal
import socket
import time
from typing import NoReturn

from pier.kernel import faults, fds, pty
from pier.kernel.cgroup import Layout
from pier.kernel.fds import Socket
from pier.kernel.process import Title, exit_code, pidfd_open, set_name
from pier.runtime import endpoints, foreign_end, hooks, quiet, slots, sync, user_namespaces
from pier.runtime.cgroups import ContainerCgroup
from pier.runtime.logfile import LogFile
from pier.runtime.loop import IN, Loop
from pier.runtime.state import Exit, write_exit
from pier.runtime.streams import PATIENCE, Streams

# The descriptors that are not the creator's.
_OURS = ("attachment", "early", "held", sync.CONSOLE)
# How long clients that are owed output hold the keeper after the end; they lose the rest then.
_LINGER = 60.0


def serve(connection: Socket, channel: Socket, creator: int, title: Title, groups: tuple[Layout, str]) -> NoReturn:
    """Wait for the daemon's word, then keep. `groups`: the host's layout and the creator's slot. Never returns."""
    layout, slot = groups
    try:
        held: list[int] = []
        data, descriptors = fds.receive(connection, sync.LARGEST)
        while data.startswith(sync.HOLD):
            held += descriptors
            data, descriptors = fds.receive(connection, sync.LARGEST)
        if data.startswith(sync.QUIET):
            kept = quiet.keep(connection, channel, creator, (data, descriptors), title)
            Keeper(connection, channel, creator, layout, held).resume(sync.decode(data), kept)
        elif data:
            Keeper(connection, channel, creator, layout, held).run(sync.decode(data), descriptors, title)
        else:
            channel.close()
            os.waitpid(creator, 0)
    except OSError:
        pass  # the daemon has gone before it asked for anything
    finally:
        slots.discard(layout, slot)
        os._exit(0)


class Keeper:
    """The life of one container, seen from its keeper."""

    def __init__(self, connection: Socket, channel: Socket, creator: int, layout: Layout, held: list[int]) -> None:
        self._connections: dict[int, Socket] = {connection.fileno(): connection}
        self._first = connection
        self._channel = channel
        self._creator = self._pid = creator
        self._layout = layout
        self._held = held
        self._loop = Loop()
        self._listener: Socket | None = None
        self._terminal = -1
        self._slave = -1
        self._console = -1
        self._pidfd = -1
        self._started_at = 0
        self._created = False
        self._stopping = False
        self._told = False
        self._heard: tuple[bytes, list[int]] | None = None
        self._waiting: list[tuple[int, dict[str, object], bytes]] = []

    def run(self, request: sync.Message, descriptors: list[int], title: Title) -> None:
        """From the request to the end."""
        self._request = request
        foreign_end.adopt_orphans(request, yes=True)
        set_name("pier-keeper")
        title.set(f"pier-keeper {request['id']}")
        given: list[tuple[str, int]] = list(zip(request["fds"], descriptors, strict=True))
        attachments = [descriptor for name, descriptor in given if name in ("attachment", "early")]
        self._held += [descriptor for name, descriptor in given if name == "held"]
        for_creator = [(name, descriptor) for name, descriptor in given if name not in _OURS]
        self._console = next((descriptor for name, descriptor in given if name == sync.CONSOLE), -1)
        self._keep_filter(given)
        try:
            pipes = endpoints.pipes(request, for_creator)
            self._hand_over(for_creator)
            self._listener = endpoints.listen(request["directory"])
            self._open_streams(pipes, attachments)
            failure = self._await_start()
        except OSError as error:
            failure = f"error starting the keeper: {error}"
        self._go_on(failure)

    def resume(self, request: sync.Message, kept: quiet.Kept) -> None:
        """From what a quiet keeper has come to, to the end."""
        self._request = request
        self._pid, self._pidfd, self._started_at, self._filter = kept[:4]
        self._told = kept.heard is None
        self._heard = kept.heard
        failure = None
        try:
            os.chdir(request["directory"])
            if kept.endpoints:
                self._listener = Socket(fileno=kept.endpoints[0])
                names = dict(zip(kept.endpoints[1:], sync.ENDPOINTS, strict=False))
                # What was written first is read first.
                order = dict.fromkeys([*(end for end in kept.woken_by if end in names), *names])
                self._open_streams({names[end]: end for end in order}, [])
            if kept.heard:
                failure = self._await_start()
        except OSError as error:
            failure = f"error starting the keeper: {error}"
        self._go_on(failure)

    def _go_on(self, failure: str | None) -> None:
        if failure is not None:
            self._fail(failure)
            return
        if self._request["loose"]:
            self._started("created" if self._created else "started")
            return
        self._serve()

    def _keep_filter(self, given: list[tuple[str, int]]) -> None:
        """Keep the seccomp filter's file at hand: execs need it too, also those of a later daemon."""
        self._filter = tuple(os.dup(descriptor) for name, descriptor in given if name == sync.SECCOMP)

    def _hand_over(self, for_creator: list[tuple[str, int]]) -> None:
        forwarded = {key: self._request[key] for key in ("cgroup", "tty", "size")}
        forwarded["fds"] = [name for name, _ in for_creator]
        descriptors = [descriptor for _, descriptor in for_creator]
        sync.send(self._channel, forwarded, descriptors)
        fds.close_all(descriptors)

    def _open_streams(self, pipes: dict[str, int], attachments: list[int]) -> None:
        request = self._request
        target = request.get("log")
        log = LogFile(target["path"], target["max_size"], target["max_file"]) if target else None
        self._streams = Streams(
            self._loop,
            log,
            tty=request["tty"],
            stdin_once=request["stdin_once"],
            patience=request.get("patience", PATIENCE),
        )
        self._streams.on_detach = self._tell_detached
        for name, descriptor in pipes.items():
            if name == sync.STDIN:
                self._streams.open_input(descriptor)
            else:
                self._streams.open_output(descriptor, name.encode())
        self._waiting = [
            (attachments.pop(0), wants, endpoints.early(wants, attachments)) for wants in request["attachments"]
        ]

    def _await_start(self) -> str | None:
        """Listen to the creator and its child until execve closes the channel; what failed, if something did.

        Creator and child speak at once, so the process's number may come after what the process says.
        """
        failure = None
        while True:
            message, descriptors = self._listen_to_creator()
            if message is None:
                if failure is None:
                    self._begun()
                return failure
            if message["at"] == "failed":
                failure = str(message["message"])
            elif message["at"] == "terminal":
                self._take_terminal(descriptors)
            elif message["at"] == "process":
                self._pid = message["pid"]
                user_namespaces.write_maps(self._pid, message)
                self._end_creator()
                if not self._request.get("runtime"):
                    self._channel.send(b"!")
            elif message["at"] == "hooks":
                failure = hooks.relay(self._first, self._channel, self._pid)
            elif message["at"] == "ready":
                self._created = True
            if self._created and self._pid != self._creator:
                self._pidfd = pidfd_open(self._pid)
                return None

    def _listen_to_creator(self) -> tuple[sync.Message | None, list[int]]:
        if not self._heard:
            return sync.receive(self._channel)
        (data, descriptors), self._heard = self._heard, None
        return sync.decode(data), descriptors

    def _take_terminal(self, descriptors: list[int]) -> None:
        """Keep the terminal, or send it to the console socket of the OCI command line's caller, with its name."""
        if self._console < 0:
            self._terminal, self._slave = descriptors
            return
        console = socket.socket(fileno=self._console)
        fds.send(console, b"/dev/console", descriptors[:1])
        console.close()
        fds.close_all(descriptors)

    def _end_creator(self) -> None:
        """The creator lent its memory to the process that goes on, and must not run again."""
        os.kill(self._creator, signal.SIGKILL)
        os.waitpid(self._creator, 0)

    def _begun(self) -> None:
        """The channel has closed: the program runs."""
        foreign_end.adopt_orphans(self._request, yes=False)
        self._started_at = time.time_ns()
        if self._pidfd < 0:
            self._pidfd = pidfd_open(self._pid)

    def _started(self, word: str) -> None:
        message = {"at": word, "pid": self._pid, "started_at": self._started_at, "version": sync.VERSION}
        sync.send(self._first, message, (self._pidfd,))

    def _fail(self, message: str) -> None:
        """Leave nothing behind, then say why."""
        for process in {self._pid, self._creator}:
            try:
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
        foreign_end.end(self._request)
        self._clean()
        try:
            sync.send(self._first, {"at": "failed", "message": message})
        except OSError:
            pass  # the daemon is gone: it will find no keeper and no group

    def _clean(self) -> None:
        """Remove the socket and the control group. Processes that outlived init (a shared PID namespace) are killed."""
        try:
            os.unlink(endpoints.SOCKET)
        except OSError:
            pass
        if not self._request["cgroup"] or self._request["kind"] != "container":
            return
        group = ContainerCgroup(self._request["cgroup"], self._layout)
        try:
            if not group.is_empty():
                group.kill()
            group.remove()
        except (OSError, TimeoutError):
            pass  # the daemon's reconciliation removes groups that nobody owns

    def _serve(self) -> None:
        try:
            if self._terminal >= 0:
                self._streams.open_terminal(self._terminal, stdin=self._request["open_stdin"])
            for descriptor, wants, early in self._waiting:
                self._streams.attach(descriptor, wants, early)
            if not self._told:
                self._started("started")
        except OSError:
            pass  # the daemon is gone: the container runs, and a new daemon finds it
        self._first.setblocking(False)
        self._loop.watch(self._first.fileno(), IN, lambda _events: self._request_of(self._first))
        if self._listener:
            self._loop.watch(self._listener.fileno(), IN, lambda _events: self._accept())
        self._loop.watch(self._pidfd, IN, lambda _events: self._stop())
        faults.point("keeper-serving")
        while not self._stopping:
            self._loop.turn(self._streams.timeout())
            self._streams.let_stalled_go()
        self._finish()

    def _stop(self) -> None:
        self._stopping = True

    def _finish(self) -> None:
        """The end: streams, group, record, then the news, then the clients' ends."""
        status = os.waitid(os.P_PID, self._pid, os.WEXITED)
        self._loop.forget(self._pidfd)
        self._streams.drain()
        oom = self._oom_killed()
        fds.close_all(self._held)
        foreign_end.end(self._request)
        self._clean()
        record = Exit(exit_code(status) if status else 255, oom, "", time.time_ns())
        if path := self._request.get("exit_path"):
            try:
                write_exit(path, record)
            except OSError as error:
                record = record._replace(error=f"writing the exit record: {error}")
        self._tell({"at": "exited", **record._asdict()})
        self._streams.close_idle()
        self._linger()

    def _linger(self) -> None:
        deadline = time.monotonic() + _LINGER
        while not self._streams.flushed() and time.monotonic() < deadline:
            self._loop.turn(deadline - time.monotonic())
            self._streams.close_idle()

    def _oom_killed(self) -> bool:
        if not self._request["cgroup"] or self._request["kind"] != "container":
            return False
        return ContainerCgroup(self._request["cgroup"], self._layout).oom_count() > 0

    # The daemon's requests.

    def _accept(self) -> None:
        if self._listener is None:
            return
        listener = socket.socket(fileno=self._listener.fileno())
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        finally:
            listener.detach()
        connection.setblocking(False)
        self._connections[connection.fileno()] = connection
        self._loop.watch(connection.fileno(), IN, lambda _events: self._request_of(connection))

    def _request_of(self, connection: Socket) -> None:
        try:
            message, descriptors = sync.receive(connection)
        except BlockingIOError:
            return
        except (OSError, sync.Broken):
            message, descriptors = None, []
        if message is None:
            self._hang_up(connection)
            return
        answer, sent = self._answer(message, descriptors)
        try:
            sync.send(connection, {"at": "answer", "n": message.get("n"), **answer}, sent)
        except OSError:
            self._hang_up(connection)

    def _hang_up(self, connection: Socket) -> None:
        self._loop.forget(connection.fileno())
        self._connections.pop(connection.fileno(), None)
        connection.close()

    def _answer(self, message: sync.Message, descriptors: list[int]) -> tuple[sync.Message, tuple[int, ...]]:
        """Do what is asked; the answer and the descriptors that go with it."""
        try:
            word = message.get("do")
            if word == "attach":
                wants, descriptor, descriptors = message["attachment"], descriptors[0], descriptors[1:]
                return {"attachment": self._streams.attach(descriptor, wants, endpoints.early(wants, descriptors))}, ()
            if word == "resize":
                if self._terminal >= 0:
                    pty.set_size(self._terminal, int(message["rows"]), int(message["columns"]))
                return {}, ()
            if word == "signal":
                signal.pidfd_send_signal(self._pidfd, int(message["number"]))
                return {}, ()
            if word == "hello":
                return self._hello(), (self._pidfd, *self._filter)
        except Exception as error:  # whatever is said, a container does not end for it
            return {"error": str(error), "errno": getattr(error, "errno", 0) or 0}, ()
        finally:
            fds.close_all(descriptors)
        return {"error": f"unknown request {word!r}"}, ()

    def _hello(self) -> sync.Message:
        wanted = ("id", "cgroup", "tty", "kind", "exit_path")
        known = {key: self._request[key] for key in wanted}
        return {
            "version": sync.VERSION,
            "pid": self._pid,
            "started_at": self._started_at,
            "seccomp_flags": self._request["seccomp_flags"],
            "runtime": self._request.get("runtime"),
            **known,
        }

    def _tell_detached(self, number: int, why: str) -> None:
        if why != "end":
            self._tell({"at": "detached", "attachment": number, "why": why})

    def _tell(self, message: sync.Message) -> None:
        for connection in tuple(self._connections.values()):
            try:
                sync.send(connection, message)
            except OSError:
                self._hang_up(connection)
