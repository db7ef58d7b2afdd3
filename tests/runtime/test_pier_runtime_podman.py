"""podman with `--runtime pier-runtime`: run, exec, terminals, pause, stop and rm, and user namespaces."""

import contextlib
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

import pier
from pier.kernel import cgroup
from tests.runtime.bundles import make_rootfs

pytestmark = [
    pytest.mark.root,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("podman") is None, reason="podman is not installed"),
]
# podman reads the log of a runtime that it knows to write JSON. Root without CAP_SYS_RESOURCE cannot give a container
# more than podman leaves itself.
SETTINGS = """[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
runtime_supports_json = ["pier-runtime"]
"""


class Podman:
    """podman on roots of its own, with an image of busybox."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.group = f"/pier-podman-{os.getpid()}"
        self.runtime = directory / "pier-runtime"
        source = Path(pier.__file__).parent.parent
        command = f'exec {sys.executable} -m pier.runtime.main --root {directory}/oci "$@"'
        self.runtime.write_text(f"#!/bin/sh\nPYTHONPATH={source} {command}\n")
        self.runtime.chmod(0o755)
        (directory / "containers.conf").write_text(SETTINGS)
        make_rootfs(directory / "box")
        (directory / "box").chmod(0o755)
        subprocess.run(["tar", "-C", directory / "box", "-cf", directory / "box.tar", "."], check=True)
        self("import", str(directory / "box.tar"), "box")

    def __call__(self, *words: str, code: int = 0) -> str:
        """Run podman; what it printed."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, check=False, timeout=100,
            env=self.environment(), stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def typed(self, text: str, *words: str, code: int = 0) -> str:
        """Run podman on a terminal of 31 lines and 77 columns into which `text` is typed; what the terminal showed."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (31, 77))
        with open(ours, "r+b", buffering=0) as terminal:
            process = subprocess.Popen(
                self.command(*words), stdin=theirs, stdout=theirs, stderr=theirs, env=self.environment(),
                start_new_session=True,
            )  # fmt: skip
            os.close(theirs)
            terminal.write(text.encode())
            shown = b""
            with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
                while piece := terminal.read(4096):
                    shown += piece
            assert process.wait(100) == code, shown
        return shown.decode()

    def environment(self) -> dict[str, str]:
        """The environment of podman, with the settings of its own."""
        return {**os.environ, "CONTAINERS_CONF": str(self.directory / "containers.conf")}

    def command(self, *words: str) -> list[str]:
        """The command line of podman on its own roots."""
        roots = ["--root", "store", "--runroot", "run", "--tmpdir", "tmp"]
        paths = [word if word.startswith("-") else str(self.directory / word) for word in roots]
        command = ["podman", *paths, "--runtime", str(self.runtime), "--cgroup-manager", "cgroupfs"]
        return [*command, "--events-backend", "file", *words]

    def run(self, *words: str, code: int = 0) -> str:
        """`podman run` without a network, in a control group of the test's."""
        return self("run", "--network", "none", "--cgroup-parent", self.group, *words, code=code)

    def close(self) -> None:
        """Remove all of it."""
        self("rm", "--all", "--force", "--time", "0")
        self("rmi", "--all", "--force")
        layout = cgroup.detect()
        for point in layout.mount_points():
            for directory, _, _ in os.walk(f"{point}{self.group}", topdown=False):
                os.rmdir(directory)
        shutil.rmtree(self.directory)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """podman in a directory with a short name, since the names of sockets may have 107 bytes."""
    made = Podman(Path(tempfile.mkdtemp(prefix="pod")))
    yield made
    made.close()


def test_a_container_runs_and_gives_its_code(podman: Podman) -> None:
    assert podman.run("--rm", "-t", "box", "sh", "-c", "tty; exit 5", code=5).split() == ["/dev/pts/0"]
    failed = podman.run("--rm", "box", "nosuch", code=127)
    assert 'exec: "nosuch": executable file not found in $PATH' in failed


def test_a_person_types_into_a_container_and_an_exec(podman: Podman) -> None:
    words = ("run", "--network", "none", "--cgroup-parent", podman.group, "--rm", "-it", "box", "sh")
    shown = podman.typed("stty size; echo a$((1+1))b; exit 4\n", *words, code=4)
    assert "31 77" in shown
    assert "a2b" in shown
    podman.run("-d", "--name", "typed", "box", "sleep", "1000")
    shown = podman.typed("echo a$((1+2))b; exit 6\n", "exec", "-it", "typed", "sh", code=6)
    assert "a3b" in shown
    podman("rm", "--force", "--time", "0", "typed")
    assert podman("ps", "--all", "--quiet") == ""


def test_limits_are_seen_from_inside(podman: Podman) -> None:
    # a ulimit takes the place of those in SETTINGS, so the other one is said again
    limits = ["--memory=48m", "--pids-limit=33", "--cpus=0.5", "--ulimit=nofile=99:99", "--ulimit=nproc=1024:1024"]
    one = "cat memory.max pids.max; cut -d' ' -f1 cpu.max"
    many = "cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us"
    program = f"cd /sys/fs/cgroup; if [ -e memory.max ]; then {one}; else {many}; fi; ulimit -n"
    assert podman.run("--rm", *limits, "box", "sh", "-c", program).split() == [str(48 << 20), "33", "50000", "99"]


def test_a_container_is_entered_paused_stopped_and_removed(podman: Podman) -> None:
    program = "trap 'exit 9' TERM; echo up; while :; do sleep 1000 & wait; done"
    podman.run("-d", "--name", "one", "--memory", "64m", "box", "sh", "-c", program)
    assert podman("exec", "-u", "3:4", "one", "id").startswith("uid=3 gid=4")
    podman("exec", "one", "sh", "-c", "exit 7", code=7)
    assert podman("exec", "one", "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes") == "67108864\n"
    podman("pause", "one")
    podman("unpause", "one")
    podman("stop", "--time", "60", "one")
    assert podman("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "one") == "exited 9\n"
    assert podman("logs", "one") == "up\n"
    podman("rm", "one")


def test_a_container_with_mapped_users(podman: Podman) -> None:
    maps = ("--uidmap", "0:200000:65536", "--gidmap", "0:200000:65536")
    assert podman.run("--rm", *maps, "box", "cat", "/proc/self/uid_map").split() == ["0", "200000", "65536"]
