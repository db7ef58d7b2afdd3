"""podman with `--runtime pier-runtime`: run, exec, terminals, pause, stop and rm, and user namespaces."""

import os
import shutil
import subprocess
import sys
import tempfile
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
        roots = ["--root", "store", "--runroot", "run", "--tmpdir", "tmp"]
        paths = [word if word.startswith("-") else str(self.directory / word) for word in roots]
        command = ["podman", *paths, "--runtime", str(self.runtime), "--cgroup-manager", "cgroupfs"]
        command += ["--events-backend", "file", *words]
        environment = {**os.environ, "CONTAINERS_CONF": str(self.directory / "containers.conf")}
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=100, env=environment, stdin=subprocess.DEVNULL
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

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
