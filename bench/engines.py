"""The two engines of the bench, each with its own roots and network namespace, so that firewall rules do not meet."""

import os
import shutil
from pathlib import Path

from tests.support import dockerd, host
from tests.support.commands import run
from tests.support.engines import Engine
from tests.support.pierd import PROGRAM, SOURCE, Pierd

IN_OWN_NETWORK = ("unshare", "--net", "--", "/bin/sh", "-c", 'ip link set lo up; exec "$@"', "sh")
BIP = "10.213.7.1/22"


class OnDisk(Engine):
    """An engine whose data lie on a disk of their own, where one is given."""

    disk: Path | None = None

    @property
    def data_root(self) -> Path:
        return self.disk / "d" if self.disk else super().data_root


class BenchPierd(OnDisk, Pierd):
    """Pier as `make run` starts it, but for its roots."""

    def command(self) -> list[str]:
        return [
            *IN_OWN_NETWORK, *PROGRAM, *self.places(), *self.configuration("pierd.json"), "--bip", BIP,
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        # An installed Pier starts from compiled modules, which the bench has made before.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return inherited | {"PYTHONPATH": str(SOURCE), host.MARK: str(self.root)}

    def processes(self) -> list[int]:
        """Every process that Pier keeps: daemon, spawner, waiting pairs, keepers, helpers."""
        return engine_processes(str(self.root))

    def daemon_processes(self) -> list[int]:
        """The daemon and the spawner alone."""
        return [self.pid, *children(self.pid)]


class BenchDockerd(OnDisk):
    """dockerd with its defaults: iptables, a proxy per port, its own containerd."""

    kind = "dockerd"

    def command(self) -> list[str]:
        return [
            *IN_OWN_NETWORK, dockerd.program(), *self.places(), *self.configuration("daemon.json"),
            "--bip", BIP, "--log-level", "error",
        ]  # fmt: skip

    def processes(self) -> list[int]:
        """dockerd, containerd and the shims."""
        return engine_processes(str(self.root))

    def close(self) -> None:
        """Remove its containers, end it and its helpers, unmount and remove its roots."""
        if self.process:
            self.remove_containers()
            self.stop(seconds=90)
        for mount in (*dockerd.mounts_below(self.root), *(dockerd.mounts_below(self.disk) if self.disk else ())):
            run(["umount", "-l", mount])
        shutil.rmtree(self.root, ignore_errors=True)


def engine_processes(root: str) -> list[int]:
    """Processes of an engine on `root` that are not inside a container: they see the host's process ids."""
    own = os.stat("/proc/self/ns/pid").st_ino
    found = []
    for line in host.processes_marked(root):
        pid, _, title = line.partition(" ")
        try:
            if os.stat(f"/proc/{pid}/ns/pid").st_ino == own and not title.startswith(("docker ", "sh ")):
                found.append(int(pid))
        except OSError:
            continue
    return found


def children(pid: int) -> list[int]:
    """Direct children of a process."""
    try:
        return [int(child) for task in os.listdir(f"/proc/{pid}/task")
                for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]  # fmt: skip
    except OSError:
        return []
