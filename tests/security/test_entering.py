"""Rows 1 to 4: what a container can grasp of those who enter it: their program, their descriptors, their memory."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.stage import PYTHON, fingerprints, inside, rounds, shell
from tests.support.commands import Result, wait_until
from tests.support.pierd import SOURCE, Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.usefixtures("tools")]

# Overwrite the program that this process runs: at once, and by a held descriptor when nobody runs it any more.
OVERWRITE = """
import os
def attempt(path):
    try:
        os.write(os.open(path, os.O_WRONLY), b"#!/bin/evil")
        print("WRITTEN", os.readlink(path), flush=True)
    except OSError as error:
        print("refused", error.errno, flush=True)
attempt("/proc/self/exe")
held = os.open("/proc/self/exe", os.O_PATH)
os.set_inheritable(held, True)
os.execv("/bin/sh", ["sh", "-c", f"(echo evil > /proc/self/fd/{held}) 2>/dev/null && echo WRITTEN || echo refused"])
"""

# Hold the program of every process that appears, and try to write it while it runs and when it is over.
HOLD = """
import os, sys
own, held, seen = os.getpid(), {}, set()
print("ready", flush=True)
def write(path):
    try:
        descriptor = os.open(path, os.O_WRONLY)
    except OSError:
        return
    print("WRITTEN", os.readlink(f"/proc/self/fd/{descriptor}"), flush=True)
    os.close(descriptor)
while not os.path.exists("/over"):
    for pid in os.listdir("/proc"):
        if pid.isdigit() and int(pid) not in (own, 1):
            seen.add(pid)
            try:
                target = os.readlink(f"/proc/{pid}/exe")
                if target not in held and not target.startswith("/bin/busybox"):
                    held[target] = os.open(f"/proc/{pid}/exe", os.O_PATH)
                    write(f"/proc/{pid}/exe")
            except OSError:
                pass
    for descriptor in held.values():
        write(f"/proc/self/fd/{descriptor}")
print("saw", len(seen), sorted(held))
"""

# Trace every process that appears; while it stands still, see whether it is one of the container's own programs.
TRACE = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
own, seen = os.getpid(), set()
DETACH, SEIZE, INTERRUPT = 17, 0x4206, 0x4207
print("ready", flush=True)
while not os.path.exists("/over"):
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in (own, 1):
            continue
        pid = int(name)
        seen.add(pid)
        try:
            for number in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{number}")
                if int(number) > 2 and not link.startswith(("pipe:", "/proc")):
                    print("STOLEN", number, link, flush=True)
        except OSError:
            pass
        if libc.ptrace(SEIZE, pid, None, None) == 0 and libc.ptrace(INTERRUPT, pid, None, None) == 0:
            os.waitpid(pid, 0x40000000)  # __WALL
            try:
                program = os.readlink(f"/proc/{pid}/exe")
                if program != "/bin/busybox":
                    print("TRACED", program, flush=True)
            except OSError:
                pass
            libc.ptrace(DETACH, pid, None, None)
print("saw", len(seen))
"""


@pytest.fixture
def host_programs(pierd: Pierd) -> Iterator[None]:
    """The interpreter and the runtime's own files are the same afterwards."""
    files = (Path(os.path.realpath(f"/proc/{pierd.pid}/exe")), *sorted((SOURCE / "pier" / "runtime").glob("*.py")))
    before = fingerprints(*files)
    yield
    assert fingerprints(*files) == before


@pytest.fixture
def attacked(pierd: Pierd, request: pytest.FixtureRequest) -> Iterator[str]:
    """A container that watches its own processes with the program that the test names; it must print nothing loud."""
    program, flags = request.param
    binds = ("-v", "/usr:/usr:ro", "--network", "none", "--name", "attacked")
    pierd.docker("run", "-d", *binds, *flags, "tools", *PYTHON, program).ok()
    wait_until(lambda: "ready" in pierd.docker("logs", "attacked").stdout, "the attacker is at work")
    yield "attacked"
    pierd.docker("exec", "attacked", "/bin/touch", "/over").ok()
    code, told = pierd.docker("wait", "attacked").ok(), pierd.docker("logs", "attacked")
    pierd.docker("rm", "-f", "attacked").ok()
    assert code == "0", told.describe()
    assert "saw" in told.stdout, told.describe()
    assert not {"WRITTEN", "STOLEN", "TRACED"} & set(told.stdout.split()), told.stdout


@pytest.mark.usefixtures("host_programs")
@pytest.mark.parametrize(
    "flags", [(), ("--cap-add", "ALL", "--security-opt", "seccomp=unconfined")], ids=["", "strong"]
)
def test_row_01_cve_2019_5736_an_entrypoint_that_is_the_runtime_cannot_be_written(
    pierd: Pierd, flags: tuple[str, ...]
) -> None:
    command = (
        "run",
        "--rm",
        "--network",
        "none",
        "-v",
        "/usr:/usr:ro",
        *flags,
        "--entrypoint",
        "/proc/self/exe",
        "tools",
    )
    result = pierd.docker(*command, "-I", "-S", "-c", OVERWRITE)
    assert "WRITTEN" not in result.stdout
    assert result.stdout.count("refused") == 2, result.describe()


def _exec(pierd: Pierd, container: str, body: dict[str, object]) -> int:
    created = pierd.api("POST", f"/containers/{container}/exec", {"AttachStdout": True, **body}).ok()["Id"]
    return pierd.api("POST", f"/exec/{created}/start", {"Detach": False, "Tty": False}).status


@pytest.mark.usefixtures("host_programs")
@pytest.mark.parametrize(
    "attacked", [(HOLD, ()), (HOLD, ("--cap-add", "SYS_PTRACE"))], ids=["", "ptrace"], indirect=True
)
def test_row_01_cve_2019_5736_who_enters_cannot_be_written(pierd: Pierd, attacked: str) -> None:
    for _ in range(rounds(15, 1000)):
        assert _exec(pierd, attacked, {"Cmd": ["/bin/true"]}) == 200
        _exec(pierd, attacked, {"Cmd": ["/proc/self/exe", "--version"]})


@pytest.mark.parametrize("attacked", [(TRACE, ())], ids=[""], indirect=True)
def test_row_03_cve_2016_9962_who_enters_cannot_be_traced_or_robbed(pierd: Pierd, attacked: str) -> None:
    for _ in range(rounds(25, 1000)):
        assert _exec(pierd, attacked, {"Cmd": ["/bin/true"]}) == 200


def _host_is_not_seen(result: Result) -> None:
    assert result.code != 0 or result.stdout.split() == ["inside"], result.describe()
    assert "Traceback" not in result.stdout + result.stderr


@pytest.mark.parametrize("spelled", ["/proc/self/fd/{}", "/proc/1/fd/{}", "/proc/self/fd/{}/../../..", "/link{}"])
def test_row_02_cve_2024_21626_no_descriptor_of_the_host_is_a_working_directory(pierd: Pierd, spelled: str) -> None:
    # whoever stands outside comes to the host's root by going up
    look = "test $(stat -c %d:%i ../../../../../../../..) = $(stat -c %d:%i /) && echo inside"
    setup = "; ".join(f"ln -s /proc/self/fd/{number} /link{number}" for number in range(3, 64))
    shown = pierd.docker(
        "run", "-d", "--name", "cwd", "--network", "none", "busybox", "sh", "-c", f"{setup}; sleep 9999"
    )
    shown.ok()
    pierd.docker("exec", "cwd", "sh", "-c", "until test -L /link63; do :; done").ok()
    for number in range(3, rounds(6, 64)):
        directory = spelled.format(number)
        _host_is_not_seen(pierd.docker("exec", "-w", directory, "cwd", "sh", "-c", look))
        _host_is_not_seen(pierd.docker("run", "--rm", "--network=none", "-w", directory, "busybox", "sh", "-c", look))
    pierd.docker("rm", "-f", "cwd").ok()


def test_row_02_cve_2024_21626_only_the_streams_are_open(pierd: Pierd) -> None:
    look = ("ls", "/proc/self/fd")  # the listing itself is 3
    pierd.docker("run", "-d", "--name", "open", "--network", "none", "busybox", "sleep", "9999").ok()
    for flags in ((), ("-t",), ("-u", "1000"), ("--privileged",)):
        assert pierd.docker("exec", *flags, "open", *look).ok().split() == ["0", "1", "2", "3"]
        assert pierd.docker("run", "--rm", "--network=none", *flags, "busybox", *look).ok().split() == [
            "0",
            "1",
            "2",
            "3",
        ]
    pierd.docker("rm", "-f", "open").ok()


def _descriptors(pierd: Pierd) -> list[str]:
    """What the daemon holds open, but for connections that come and go."""
    links = []
    for entry in Path(f"/proc/{pierd.pid}/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:
            continue
    return sorted(link for link in links if link.startswith("/") and not link.startswith(f"{pierd.data_root}/tmp"))


def test_row_04_cve_2015_3627_a_start_that_fails_leaves_no_descriptor(pierd: Pierd) -> None:
    def fail() -> None:
        for flags, command in (
            ((), "no-such-program"),
            (("-u", "nobody-here"), "true"),
            (("-w", "/bin/busybox"), "true"),
            (("-v", "/etc/passwd:/bin"), "true"),
        ):
            assert pierd.docker("run", "--rm", "--network=none", *flags, "busybox", command).code in (125, 126, 127)

    fail()
    before = _descriptors(pierd)
    for _ in range(rounds(3, 100)):
        fail()
    wait_until(lambda: _descriptors(pierd) == before, f"the daemon's files are {before}")
    assert shell(pierd, "ls /proc/self/fd").split() == ["0", "1", "2", "3"]


def test_row_04_cve_2015_3627_programs_inside_inherit_nothing(pierd: Pierd) -> None:
    program = "import os; print([n for n in range(3, 4096) if os.path.lexists(f'/proc/self/fd/{n}')], os.getcwd())"
    assert inside(pierd, program).ok() == "[] /"
