"""Descriptors, faults, terminals, limits and namespaces, as far as one process can try them."""

import errno
import os
import resource
import socket
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.kernel import faults, fds, pty, rlimits
from pier.kernel.process import exit_code, pidfd_open


def test_descriptors_travel_with_a_message() -> None:
    near, far = fds.packet_pair()
    memory = fds.in_memory("test", b"content")
    fds.send(near, b"message", (memory,))
    data, received = fds.receive(far, 100)
    assert (data, len(received)) == (b"message", 1)
    assert fds.read_all(received[0]) == b"content"
    assert not os.get_inheritable(received[0])
    fds.close_all([*received, memory])
    near.close()
    assert fds.receive(far, 100) == (b"", [])
    far.close()


def test_a_message_cut_short_is_refused_and_its_descriptors_closed() -> None:
    near, far = fds.packet_pair()
    before = set(os.listdir("/proc/self/fd"))
    fds.send(near, b"long message", (0,))
    with pytest.raises(OSError, match="too long"):
        fds.receive(far, 4)
    assert set(os.listdir("/proc/self/fd")) == before
    near.close()
    far.close()


def test_faults_are_parsed() -> None:
    parsed = faults.parse("one=kill,two=ENOSPC@3")
    assert (parsed["one"].kill, parsed["one"].at) == (True, 0)
    assert (parsed["two"].kill, parsed["two"].number, parsed["two"].at) == (False, errno.ENOSPC, 3)


@given(st.text(max_size=30))
def test_faults_are_a_value_or_an_error(text: str) -> None:
    try:
        faults.parse(text)
    except ValueError as error:
        assert "PIER_FAULTS" in str(error)  # noqa: PT017


def test_a_fault_fires_at_its_point() -> None:
    code = (
        "from pier.kernel import faults\nfaults.point('a')\n"
        "try:\n faults.point('b')\nexcept OSError as e:\n print(e, flush=True)\n"
    )
    code += "faults.point('b')\nfaults.point('c')\n"
    environment = {**os.environ, "PIER_FAULTS": "b=ENOSPC@1,c=kill"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.stdout == b"[Errno 28] No space left on device: 'b'\n"
    assert done.returncode == -9


@pytest.mark.parametrize(("code", "expected"), [("exit(7)", 7), ("import os; os.kill(os.getpid(), 15)", 143)])
def test_exit_codes_are_a_shells(code: str, expected: int) -> None:
    program = subprocess.Popen([sys.executable, "-c", code])
    pidfd = pidfd_open(program.pid)
    status = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
    os.close(pidfd)
    program.wait()
    assert status is not None
    assert exit_code(status) == expected


def test_limits_above_the_hard_one_are_refused() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    rlimits.set_limit(rlimits.NUMBER["RLIMIT_CORE"], soft, hard)
    assert rlimits.NUMBER["RLIMIT_NOFILE"] == resource.RLIMIT_NOFILE
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            rlimits.set_limit(rlimits.NUMBER["RLIMIT_CORE"], 0, 2**64 - 1 if hard != -1 else hard)


@pytest.mark.root
def test_a_terminal_comes_from_a_multiplexer_only(tmp_path: os.PathLike[str]) -> None:
    root = os.open("/", os.O_PATH)
    master, slave, _ = pty.open_pair(root, "dev/ptmx" if not os.path.exists("/dev/pts/ptmx") else "dev/pts/ptmx")
    pty.set_size(master, 12, 34)
    assert pty.get_size(slave) == (12, 34)
    fds.close_all((master, slave))
    with pytest.raises(OSError, match="multiplexer"):
        pty.open_pair(root, "dev/null")
    os.close(root)


def test_packets_keep_their_borders() -> None:
    near, far = fds.packet_pair()
    assert near.type == socket.SOCK_SEQPACKET
    assert not fds.has_news(far)
    fds.send(near, b"one")
    fds.send(near, b"two")
    assert fds.has_news(far)
    assert fds.receive(far, 100)[0] == b"one"
    assert fds.receive(far, 100)[0] == b"two"
    near.close()
    far.close()
