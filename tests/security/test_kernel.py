"""Rows 22 to 30, 39 and 62: what a container reaches of the kernel: files, control groups, calls, sockets, devices."""

import ast
from pathlib import Path

import pytest

from tests.security.stage import inside, make_image, shell
from tests.support.pierd import Pierd

pytestmark = [pytest.mark.root, pytest.mark.docker_cli, pytest.mark.usefixtures("tools")]

EPERM, ENOSYS = 1, 38
# Docker's lists
MASKED = (
    *(f"/proc/{name}" for name in ("acpi", "asound", "interrupts", "kcore", "keys", "latency_stats", "sched_debug")),
    *(f"/proc/{name}" for name in ("scsi", "timer_list", "timer_stats")),
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
# Every mask and every read-only path: what can be read of it, and what a write or a remount says.
LOOK = """
import os, sys
def content(path):
    if os.path.isdir(path):
        return os.listdir(path)
    with open(path, "rb") as file:
        return file.read(16)
def write(path):
    target = path + "/new" if os.path.isdir(path) else path
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT))
        return 0
    except OSError as error:
        return error.errno
for path in sys.argv[1:]:
    if os.path.lexists(path):
        os.system(f"mount -o remount,rw {path} 2>/dev/null; umount {path} 2>/dev/null")
        print(repr((path, content(path), write(path), os.path.isdir(path))))
"""
THROTTLES = "/sys/devices/system/cpu/cpu{}/thermal_throttle"


def looked_at(pierd: Pierd, places: tuple[str, ...], *flags: str) -> dict[str, tuple[object, int, bool]]:
    """Content, the errno of a write, and whether it is a directory, of each path that is there."""
    binds = ("-v", "/usr:/usr:ro", "--network", "none")
    command = ("run", "--rm", *binds, *flags, "tools", "/usr/bin/python3", "-I", "-S", "-c", LOOK, *places)
    lines = [ast.literal_eval(line) for line in pierd.docker(*command).ok().splitlines()]
    return {path: (content, number, directory) for path, content, number, directory in lines}


@pytest.mark.parametrize("flags", [(), ("--cap-add", "SYS_PTRACE", "--cap-add", "NET_ADMIN")], ids=["", "stronger"])
def test_row_22_cve_2015_3630_cve_2018_10892_cve_2017_16539_row_23_ghsa_jq35_row_24_ghsa_6fw5_masks_hold(
    pierd: Pierd, flags: tuple[str, ...]
) -> None:
    throttles = tuple(THROTTLES.format(path.name[3:]) for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*"))
    seen = looked_at(pierd, (*MASKED, *throttles), *flags)
    assert "/proc/keys" in seen or "/proc/timer_list" in seen or "/proc/interrupts" in seen
    for path, (content, written, directory) in seen.items():
        assert content in ([], b""), path
        assert written != 0 or not directory, path  # a masked file is the null device, which takes writes
    for path, (_, written, _) in looked_at(pierd, READ_ONLY, *flags).items():
        assert written != 0, path


def test_row_24_ghsa_6fw5_f8r9_fgfm_interrupts_are_not_told(pierd: Pierd) -> None:
    assert shell(pierd, "cat /proc/interrupts") == ""
    assert Path("/proc/interrupts").read_text()


@pytest.mark.parametrize("flags", [(), ("--cgroupns", "host"), ("--user", "1000"), ("--pid", "host")])
def test_row_26_cve_2023_25809_control_groups_cannot_be_written(pierd: Pierd, flags: tuple[str, ...]) -> None:
    names = "-name cgroup.procs -o -name tasks -o -name release_agent -o -name cgroup.kill -o -name devices.allow"
    write = "while read f; do (echo 0 >> $f) 2>/dev/null && echo written $f; done"
    make = "mkdir /sys/fs/cgroup/memory/new 2>/dev/null && echo made; true"
    assert shell(pierd, f"find /sys/fs/cgroup '(' {names} ')' | {write}; {make}", *flags) == ""


@pytest.mark.parametrize("flags", [(), ("--cap-add", "NET_ADMIN"), ("--user", "1000")], ids=["", "admin", "user"])
def test_row_27_cve_2022_0492_no_release_agent_can_be_set(pierd: Pierd, flags: tuple[str, ...]) -> None:
    script = (
        "mkdir -p /tmp/m; for t in cgroup cgroup2; do mount -t $t -o memory c /tmp/m && echo mounted; done; "
        "unshare -Ur true && echo unshared; unshare -UrmC mount -t cgroup -o rdma c /tmp/m && echo mounted; "
        "find / -name release_agent -writable 2>/dev/null | while read f; do echo evil > $f && echo set; done; true"
    )
    assert shell(pierd, f"({script}) 2>/dev/null", *flags) == ""


# name, number on x86_64, arguments; each would succeed or fail otherwise without the filter
CALLS = {
    "unshare(CLONE_NEWUSER)": (272, (0x10000000,)),
    "unshare(CLONE_NEWNS)": (272, (0x20000,)),
    "clone(CLONE_NEWUSER)": (56, (0x10000000 | 17, 0, 0, 0, 0)),
    "setns": (308, (-1, 0)),
    "mount": (165, (0, 0, 0, 0, 0)),
    "umount2": (166, (0, 0)),
    "pivot_root": (155, (0, 0)),
    "open_tree": (428, (-1, 0, 1)),
    "move_mount": (429, (-1, 0, -1, 0, 0)),
    "fsopen": (430, (0, 0)),
    "fsconfig": (431, (-1, 0, 0, 0, 0)),
    "mount_setattr": (442, (-1, 0, 0, 0, 0)),
    "bpf": (321, (0, 0, 0)),
    "keyctl": (250, (0, 0, 0, 0, 0)),
    "add_key": (248, (0, 0, 0, 0, 0)),
    "request_key": (249, (0, 0, 0, 0)),
    "userfaultfd": (323, (0,)),
    "perf_event_open": (298, (0, 0, -1, -1, 0)),
    "kexec_load": (246, (0, 0, 0, 0)),
    "init_module": (175, (0, 0, 0)),
    "open_by_handle_at": (304, (-1, 0, 0)),
    "reboot": (169, (0, 0, 0, 0)),
    "swapon": (167, (0, 0)),
    "settimeofday": (164, (0, 0)),
    "acct": (163, (0,)),
    "quotactl": (179, (0, 0, 0, 0)),
    "io_uring_setup": (425, (1, 0)),
    "iopl": (172, (3,)),
    "lookup_dcookie": (212, (0, 0, 0)),
    "move_pages": (279, (0, 0, 0, 0, 0, 0)),
    "personality(0x4000000)": (135, (0x4000000,)),
    "nfsservctl": (180, (0, 0, 0)),
    "vm86": (600, ()),
}
CALL = """
import ctypes, json, sys
libc = ctypes.CDLL(None, use_errno=True)
told = {}
for name, (number, arguments) in json.loads(sys.argv[1]).items():
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    told[name] = ctypes.get_errno() if answer == -1 else 0
print(json.dumps(told))
"""


def test_row_28_cve_2022_0185_cve_2020_14386_unsafe_calls_are_refused(pierd: Pierd) -> None:
    """From inside, on the real kernel; the whole list is compared with Docker's in tests/spec/test_seccomp_profile."""
    if not Path("/lib64/ld-linux-x86-64.so.2").exists():
        pytest.skip("the numbers are those of x86_64")
    refused = {name: call for name, call in CALLS.items() if name != "vm86"}
    result = inside(pierd, f"import sys; sys.argv[1:] = [{_json(refused)!r}]{CALL}")
    told = ast.literal_eval(result.ok())
    assert {name: number for name, number in told.items() if number != EPERM} == {}
    clone3 = ast.literal_eval(inside(pierd, f"import sys; sys.argv[1:] = [{_json({'c': (435, (0, 0))})!r}]{CALL}").ok())
    assert clone3 == {"c": ENOSYS}


def _json(calls: dict[str, tuple[int, tuple[int, ...]]]) -> str:
    return str({name: [number, list(arguments)] for name, (number, arguments) in calls.items()}).replace("'", '"')


def test_row_29_cve_2026_31431_kernel_crypto_and_vsock_sockets_cannot_be_had(pierd: Pierd) -> None:
    program = """
import socket
told = {}
for family in range(48):
    for kind in (1, 2, 3, 5):
        try:
            socket.socket(family, kind).close()
            told[family] = 0
        except OSError as error:
            told.setdefault(family, error.errno)
print(told)
"""
    for flags in ((), ("--user", "1000"), ("--cap-add", "NET_ADMIN")):
        told = ast.literal_eval(inside(pierd, program, *flags).ok())
        assert told[38] == told[40] == EPERM
        assert told[1] == told[2] == told[10] == 0
        # the kernel has these or has not, the filter lets them pass
        assert EPERM not in (told[37], told[39], told[41])


def test_row_30_ghsa_g54h_m393_cpwq_devices_are_an_allow_list(pierd: Pierd) -> None:
    """Every major number, as a character and as a block device; allowed are Docker's, whatever is asked beside them."""
    program = """
import os, stat
opened = []
for kind, bits in (("c", stat.S_IFCHR), ("b", stat.S_IFBLK)):
    for major in range(0, 520):
        for minor in (0, 1, 2, 3, 5, 7, 8, 9, 11, 130, 200, 229):
            try:
                os.mknod("/node", bits | 0o600, os.makedev(major, minor))
            except PermissionError:
                continue
            try:
                os.close(os.open("/node", os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY))
                opened.append((kind, major, minor))
            except PermissionError:
                pass
            except OSError as error:
                opened.append((kind, major, minor))
            os.unlink("/node")
print(opened)
"""
    allowed = {("c", 1, minor) for minor in (3, 5, 7, 8, 9)} | {("c", 5, minor) for minor in (0, 1, 2)}
    for flags in ((), ("--device", "/dev/full:/dev/other:r")):
        opened = ast.literal_eval(inside(pierd, program, *flags).ok())
        assert {entry for entry in opened if entry[1] != 136} <= allowed
        assert ("c", 1, 3) in opened


def test_row_39_cve_2014_9357_cve_2026_41567_row_62_cve_2019_14271_copies_run_nothing_of_the_containers(
    pierd: Pierd,
) -> None:
    """What a lookup of names or a codec would load is there as a trap: it would leave a trace on the host or here."""
    trap = "#!/bin/sh\necho sprung > /sprung\n"
    libraries = ("libnss_files.so.2", "libnss_files-2.31.so", "libc.so.6", "libz.so.1", "libpthread.so.0")
    programs = ("gzip", "unpigz", "pigz", "xz", "zstd", "bzip2", "tar")
    places = [f"{place}/{name}" for place in ("lib64", "lib/x86_64-linux-gnu", "usr/lib") for name in libraries]
    places += [f"usr/{place}/{name}" for place in ("bin", "sbin") for name in programs]
    modules = ("usr/lib/python3.11/pwd.py", "usr/lib/python3.11/encodings/idna.py")
    files = {**dict.fromkeys(places, trap), **dict.fromkeys(modules, "import os; os.mkdir('/sprung')")}
    make_image(pierd, "traps", files={**files, "etc/nsswitch.conf": "passwd: files\n"})
    pierd.docker("run", "-d", "--name", "traps", "--network", "none", "traps", "sleep", "9999").ok()
    (pierd.root / "in").write_text("content")
    pierd.docker("cp", "-a", str(pierd.root / "in"), "traps:/in").ok()
    pierd.docker("cp", "traps:/in", str(pierd.root / "out")).ok()
    assert pierd.docker("exec", "traps", "sh", "-c", "cat /in; ls -d /sprung 2>/dev/null; true").ok() == "content"
    pierd.docker("export", "-o", str(pierd.root / "export"), "traps").ok()
    pierd.docker("rm", "-f", "traps").ok()
    assert not Path("/sprung").exists()
