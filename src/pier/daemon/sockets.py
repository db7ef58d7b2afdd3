"""Opens the sockets that a daemon listens on: files under a umask, ports on loopback, and those that systemd passes."""

import contextlib
import errno
import grp
import logging
import os
import socket
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pier.daemon.hosts import ActivatedHost, Host, TcpHost, UnixHost
from pier.spec.errors import Conflict, InvalidParameter, PierError, SystemFailure

log = logging.getLogger("pier.daemon")
_FIRST_PASSED = 3


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket; `path` is the file to remove at the end (None when it is not ours)."""

    socket: socket.socket
    name: str
    path: Path | None = None

    def remove_file(self) -> None:
        """Take the socket's file away, if it still is the one that we made."""
        if self.path is None:
            return
        with contextlib.suppress(OSError):
            self.path.unlink()


def open_all(hosts: Sequence[Host], group: str, *, group_is_given: bool) -> list[Listener]:
    """Open every host. Raises Conflict, InvalidParameter or SystemFailure; nothing stays open then."""
    listeners: list[Listener] = []
    passed: list[socket.socket] | None = None
    try:
        for host in hosts:
            if isinstance(host, ActivatedHost):
                passed = take_passed() if passed is None else passed
                listeners += _activated(host, passed)
            elif isinstance(host, TcpHost):
                listeners.append(open_tcp(host))
            else:
                listeners += _unix(host, _gid(group, is_given=group_is_given))
    except BaseException:
        close_all(listeners)
        raise
    if not listeners:
        raise Conflict("no socket to listen on")
    return listeners


def close_all(listeners: Sequence[Listener]) -> None:
    """Close the sockets and remove the files that are ours."""
    for listener in listeners:
        listener.remove_file()
        listener.socket.close()


def _unix(host: UnixHost, gid: int) -> list[Listener]:
    try:
        return [open_unix(host.path, gid)]
    except PierError as error:
        if not host.yields:
            raise
        log.info("%s is left alone: %s", host.path, error.message)
        return []


def open_unix(path: Path, gid: int) -> Listener:
    """Bind a socket file, mode 0660 from its first moment; a stale file is replaced, a live one is Conflict."""
    _clear(path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o117)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        bound.bind(str(path))
        os.chown(path, 0, gid)
    except OSError as error:
        bound.close()
        raise SystemFailure(f"can't create unix socket {path}: {(error.strerror or '').lower()}") from None
    finally:
        os.umask(before)
    bound.setblocking(False)
    return Listener(bound, f"unix://{path}", path)


def _clear(path: Path) -> None:
    """Remove a socket file that nobody answers at."""
    try:
        kind = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(kind):
        raise Conflict(f"can't create unix socket {path}: a file that is no socket is in its place")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise Conflict(f"can't create unix socket {path}: another daemon listens there")


def open_tcp(host: TcpHost) -> Listener:
    """Bind a port."""
    family = socket.AF_INET6 if ":" in host.address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host.address, host.port))
    except OSError as error:
        bound.close()
        reason = (error.strerror or "").lower()
        message = f"listen tcp {host.address}:{host.port}: bind: {reason}"
        raise (Conflict if error.errno == errno.EADDRINUSE else SystemFailure)(message) from None
    bound.setblocking(False)
    log.warning("the API is served on %s:%d without authentication: every local user is root", host.address, host.port)
    return Listener(bound, f"tcp://{host.address}:{host.port}")


def take_passed() -> list[socket.socket]:
    """The sockets that systemd passes (sd_listen_fds(3)); the variables are taken out of the environment."""
    pid = os.environ.pop("LISTEN_PID", "")
    count = os.environ.pop("LISTEN_FDS", "")
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    passed = []
    for descriptor in range(_FIRST_PASSED, _FIRST_PASSED + int(count)):
        os.set_inheritable(descriptor, False)
        taken = socket.socket(fileno=descriptor)
        taken.setblocking(False)
        passed.append(taken)
    return passed


def _activated(host: ActivatedHost, passed: list[socket.socket]) -> list[Listener]:
    names = os.environ.get("LISTEN_FDNAMES", "").split(":")
    listeners = []
    for index, taken in enumerate(passed):
        name = names[index] if index < len(names) and names[index] else str(_FIRST_PASSED + index)
        if host.name in ("", name, str(_FIRST_PASSED + index)):
            listeners.append(Listener(taken, f"fd://{name}"))
    if not listeners:
        wanted = f"named {host.name} " if host.name else ""
        raise InvalidParameter(
            f"no sockets {wanted}found via socket activation: make sure the service was started by systemd"
        )
    return listeners


def _gid(group: str, *, is_given: bool) -> int:
    """The group that may talk to the daemon; root's when Docker's default group does not exist."""
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        pass
    if group.isascii() and group.isdigit() and int(group) < 1 << 31:
        return int(group)
    if is_given:
        raise InvalidParameter(f"group {group} not found")
    log.warning("group %s not found: the socket is root's alone", group)
    return 0
