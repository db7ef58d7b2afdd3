"""Rows 11, 68 to 71, 88, 89 and 91: what the host's other users see of the daemon, and how long it bears abuse."""

import json
import os
import random
import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pier.kernel import fds
from pier.runtime import sync
from tests.security.stage import rounds, shell
from tests.support.commands import wait_until
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli]

NOBODY = 65534
DOCUMENTS = st.recursive(st.none() | st.integers(), st.lists).map(lambda value: json.dumps(value).encode())


@pytest.fixture(scope="module")
def running(pierd: Pierd) -> Iterator[str]:
    """A container with a terminal, a volume and an exec."""
    pierd.docker("run", "-dt", "--name", "running", "-v", "kept:/kept", "busybox", "sleep", "9999").ok()
    pierd.docker("exec", "-d", "running", "sleep", "9999").ok()
    yield "running"
    pierd.docker("rm", "-f", "running").ok()


def test_row_11_cve_2021_43784_a_start_larger_than_a_packet_arrives_whole(pierd: Pierd, tmp_path: Path) -> None:
    """Hundreds of mounts and an environment of a megabyte: no length is cut, nothing after the cut is taken in."""
    flags = [f"-v={tmp_path}:/{'m' * 200}{number}" for number in range(rounds(120, 600))]
    environment = [f"--env=V{number}={'x' * 100_000}" for number in range(10)]
    script = "grep -c mmmm /proc/self/mountinfo; env | wc -c"
    mounts, size = shell(pierd, script, *flags, *environment).split()
    assert int(mounts) == len(flags)
    assert int(size) > 1_000_000


@settings(max_examples=50)
@given(st.binary(max_size=2000) | DOCUMENTS)
def test_row_11_cve_2021_43784_bytes_are_a_message_or_broken(data: bytes) -> None:
    try:
        message = sync.decode(data)
    except sync.Broken:
        return
    assert isinstance(message, dict)


def test_row_11_cve_2021_43784_a_message_cut_short_is_refused_with_its_descriptors() -> None:
    near, far = fds.packet_pair()
    before = os.listdir("/proc/self/fd")
    fds.send(near, b"{" + b" " * sync.LARGEST, (0, 1, 2))
    with pytest.raises(OSError, match="too long"):
        sync.receive(far)
    assert os.listdir("/proc/self/fd") == before
    near.close()
    far.close()


def test_row_11_cve_2021_43784_a_keeper_bears_any_words(pierd: Pierd, running: str) -> None:
    """Words of the protocol with wrong parts, and no words at all: the container lives on."""
    chance = random.Random(11)
    parts: list[object] = [None, -1, 1 << 70, 1e300, "", "x", [], {}, {"early": True}, [[]], "9"]
    keys = ("n", "attachment", "rows", "columns", "number", "fds", "version")
    before = pierd.api("GET", f"/containers/{running}/json").ok()["State"]
    directory = pierd.exec_root / "containers" / pierd.api("GET", f"/containers/{running}/json").ok()["Id"]
    for number in range(rounds(300, 100_000)):
        word = chance.choice(["attach", "resize", "hello", "signal", "hold", "launch", "", "attach"])
        message: object = {"do": word, **{key: chance.choice(parts) for key in keys if chance.random() < 0.6}}
        if word == "signal":
            message = {"do": word, "number": chance.choice([-1, 65, 1 << 40, None, "x", {}])}
        data = json.dumps(message).encode() if number % 4 else chance.randbytes(chance.randrange(1, 300))
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(20)
            connection.connect(f"/proc/self/fd/{_directory(directory)}/keeper.sock")
            socket.send_fds(connection, [data], [0] * chance.randrange(3) if number % 3 else [])
            connection.recv(65536)
    for descriptor in _opened:
        os.close(descriptor)
    _opened.clear()
    state = pierd.api("GET", f"/containers/{running}/json").ok()["State"]
    assert (state["Running"], state["Pid"]) == (True, before["Pid"])
    assert pierd.docker("exec", running, "echo", "alive").ok() == "alive"


_opened: list[int] = []


def _directory(path: Path) -> int:
    """A short way to a long path: a unix socket's name ends at 107 bytes."""
    if not _opened:
        _opened.append(os.open(path, os.O_PATH | os.O_DIRECTORY))
    return _opened[0]


@contextmanager
def reachable(pierd: Pierd) -> Iterator[None]:
    """Open the test's own directory above the daemon's roots, so that only the roots themselves stand in the way."""
    pierd.root.chmod(0o755)
    try:
        yield
    finally:
        pierd.root.chmod(0o700)


def as_nobody(*command: str) -> str:
    """What a user without rights gets to see."""
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, text=True, check=False, cwd="/"
    ).stdout


@pytest.mark.usefixtures("running")
def test_row_68_cve_2021_41091_other_users_reach_no_layer_and_no_container(pierd: Pierd) -> None:
    with reachable(pierd):
        assert as_nobody("find", str(pierd.root), "-maxdepth", "1").split()
        assert as_nobody("find", str(pierd.data_root), "-mindepth", "1") == ""
        layer = next(pierd.data_root.glob("layers/*/diff/bin/busybox"))
        upper = next(pierd.data_root.glob("containers/*/upper"))
        volume = next(pierd.data_root.glob("volumes/kept/_data"))
        for path in (layer, upper, volume):
            assert as_nobody("ls", "-d", str(path)) == ""
        assert as_nobody("find", str(pierd.exec_root), "-mindepth", "1", "-readable", "-type", "f") == ""


# What belongs to containers has the modes that containers give it.
_THEIRS = ("diff", "upper", "_data", "work")
# Read by every user of a container, from inside; outside their directory is shut.
_SHOWN = ("hosts", "hostname", "resolv.conf")


def _owned(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if name not in _THEIRS]
        yield from (Path(directory, name) for name in (*names, *files) if name not in _SHOWN)


@pytest.mark.usefixtures("running")
def test_row_70_cve_2021_41103_cve_2024_25621_state_is_roots_and_shut(pierd: Pierd) -> None:
    assert stat.S_IMODE(pierd.data_root.stat().st_mode) == 0o710
    assert stat.S_IMODE(pierd.exec_root.stat().st_mode) & 0o066 == 0
    assert stat.S_IMODE((pierd.exec_root / "containers").stat().st_mode) == 0o700
    for path in (*_owned(pierd.data_root), *_owned(pierd.exec_root)):
        status = path.lstat()
        assert (status.st_uid, status.st_gid) == (0, 0), path
        assert stat.S_IMODE(status.st_mode) & 0o022 == 0, path
        if path.is_dir() and path.parent.name != "volumes":
            assert stat.S_IMODE(status.st_mode) & 0o027 in (0, 0o001), path


@pytest.mark.usefixtures("running")
def test_row_71_cve_2025_4953_what_the_daemon_keeps_is_for_root_alone(pierd: Pierd) -> None:
    for pattern in ("records.sqlite*", "blobs/sha256/*", "containers/*/*.json", "containers/*/*.log", "tmp/*"):
        for path in pierd.data_root.glob(pattern):
            assert stat.S_IMODE(path.lstat().st_mode) & 0o037 == 0, path
    names = {path.name for path in Path("/tmp").glob("pier*")} - {pierd.root.name}
    assert not {name for name in names if pierd.instance in name}


def test_row_88_cve_2014_3499_the_socket_is_for_root_and_its_group(pierd: Pierd) -> None:
    status = os.stat(pierd.socket)
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o660, 0)
    with reachable(pierd):
        ask = f"import socket; socket.socket(socket.AF_UNIX).connect({pierd.socket!r}); print('connected')"
        assert as_nobody("/usr/bin/python3", "-I", "-S", "-c", ask) == ""


def _sockets(pids: list[int]) -> set[str]:
    """Numbers of the sockets that processes hold."""
    found = set()
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            link = os.readlink(entry)
            if link.startswith("socket:["):
                found.add(link[8:-1])
    return found


def test_row_89_cve_2020_15257_no_socket_of_ours_is_abstract(pierd: Pierd, running: str) -> None:
    pids = [int(line.split()[0]) for line in pierd.holdings().processes if "sleep" not in line]
    assert len(pids) > 2
    ours = _sockets(pids)
    lines = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    abstract = [line for line in lines if len(line) > 7 and line[7].startswith("@")]
    assert not [line for line in abstract if line[6] in ours]
    inside = shell_on_host_network(pierd, "grep -c ' @pier' /proc/net/unix; true")
    assert inside == "0"


def shell_on_host_network(pierd: Pierd, script: str) -> str:
    return pierd.docker("run", "--rm", "--network", "host", "busybox", "sh", "-c", script).ok()


def _held(pierd: Pierd) -> tuple[int, int]:
    """Descriptors and threads of the daemon."""
    return len(os.listdir(f"/proc/{pierd.pid}/fd")), len(os.listdir(f"/proc/{pierd.pid}/task"))


def _abandon(pierd: Pierd, target: str, body: object) -> None:
    """Ask for a stream and go away before it ends."""
    data = json.dumps(body).encode()
    head = f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(pierd.socket)
        connection.sendall(f"{head}Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode() + data)
        assert connection.recv(12).startswith(b"HTTP/1.1 ")


def test_row_91_cve_2022_31030_cve_2025_64329_abandoned_streams_are_let_go(pierd: Pierd) -> None:
    pierd.docker("run", "-d", "--name", "deserted", "--network", "none", "busybox", "sleep", "9999").ok()

    def abuse(count: int) -> None:
        for number in range(count):
            command = ["sh", "-c", "sleep 9999 & echo started"] if number % 2 else ["true"]
            body = {"Cmd": command, "AttachStdout": True, "AttachStdin": number % 3 == 0}
            created = pierd.api("POST", "/containers/deserted/exec", body).ok()["Id"]
            _abandon(pierd, f"/exec/{created}/start", {"Detach": False, "Tty": False})
            _abandon(pierd, "/containers/deserted/attach?stream=1&stdout=1&stdin=1", {})
            pierd.docker("exec", "deserted", "sh", "-c", "killall -q sleep -USR2; true")

    abuse(3)
    descriptors, threads = _held(pierd)
    abuse(rounds(12, 10_000))
    wait_until(lambda: _held(pierd)[0] <= descriptors + 3, f"descriptors return to {descriptors}: {_held(pierd)}")
    assert _held(pierd)[1] <= threads + 8  # the pool of threads may still grow to its bound
    pierd.docker("rm", "-f", "deserted").ok()


def test_row_91_cve_2022_1708_output_without_end_to_a_client_that_does_not_read(pierd: Pierd) -> None:
    body = {"Image": "busybox", "Cmd": ["yes"], "Tty": False, "HostConfig": {"LogConfig": {"Type": "none"}}}
    container = pierd.api("POST", "/containers/create?name=flood", body).ok()["Id"]
    with socket.socket(socket.AF_UNIX) as stalled:
        stalled.connect(pierd.socket)
        stalled.sendall(
            b"POST /containers/flood/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
        )
        assert stalled.recv(12).startswith(b"HTTP/1.1 ")
        before = _resident(pierd.pid)
        pierd.api("POST", f"/containers/{container}/start").ok()
        keepers = [int(line.split()[0]) for line in pierd.holdings().processes if container in line]
        wait_until(lambda: _written(pierd, container), "the program has written")
        for _ in range(20):
            assert pierd.api("GET", f"/containers/{container}/json").status == 200
        assert _resident(pierd.pid) - before < 16 << 10
        assert keepers
        assert all(_resident(keeper) < 64 << 10 for keeper in keepers)
    pierd.api("DELETE", f"/containers/{container}?force=1").ok()


def _resident(pid: int) -> int:
    """Memory of a process in KiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def _written(pierd: Pierd, container: str) -> bool:
    pid = pierd.api("GET", f"/containers/{container}/json").ok()["State"]["Pid"]
    return "wchar: 0" not in Path(f"/proc/{pid}/io").read_text().splitlines()
