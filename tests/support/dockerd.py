"""The peer: Debian's dockerd on its own roots and bridge, without iptables: the host's own engine is not touched."""

import contextlib
import shutil
import signal
from contextlib import ExitStack
from pathlib import Path

from tests.support.commands import run, wait_until
from tests.support.engines import Engine
from tests.support.host import processes_marked
from tests.support.subnets import subnet


class Dockerd(Engine):
    """A dockerd with its own containerd. Published ports are served by its proxy (no iptables here)."""

    kind = "dockerd"

    def __init__(self, *flags: str) -> None:
        super().__init__(*flags)
        self.owned = ExitStack()
        self.bridge = f"dk-{self.root.name[-8:]}"
        address = self.owned.enter_context(subnet())
        run(["ip", "link", "add", self.bridge, "type", "bridge"]).ok()
        run(["ip", "address", "add", address, "dev", self.bridge]).ok()
        run(["ip", "link", "set", self.bridge, "up"]).ok()
        (self.root / "daemon.json").write_text("{}")

    @staticmethod
    def missing() -> str:
        """Why it cannot run here, or an empty text."""
        program = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin")
        return "" if program else "dockerd is not installed"

    def command(self) -> list[str]:
        program = shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin") or "dockerd"
        return [
            program,
            "--data-root",
            str(self.data_root),
            "--exec-root",
            str(self.exec_root),
            "--pidfile",
            str(self.root / "pid"),
            "-H",
            self.host,
            "--config-file",
            str(self.root / "daemon.json"),
            "--bridge",
            self.bridge,
            "--iptables=false",
            "--ip6tables=false",
            "--log-level",
            "error",
            "--shutdown-timeout",
            "2",
            *self.flags,
        ]

    def close(self) -> None:
        """Remove its containers, stop it and its containerd, and its bridge."""
        try:
            if self.process:
                self.remove_containers()
                self.stop(seconds=60)
                wait_until(lambda: not processes_marked(str(self.root)), "dockerd's helpers end", seconds=30)
        finally:
            self._sweep()

    def _sweep(self) -> None:
        if self.process:
            with contextlib.suppress(Exception):
                self.stop(signal.SIGKILL)
        for line in processes_marked(str(self.root)):
            run(["kill", "-9", line.split()[0]])
        run(["ip", "link", "delete", self.bridge])
        for mount in _mounts_below(self.root):
            run(["umount", "-l", mount])
        shutil.rmtree(self.root, ignore_errors=True)
        self.owned.close()


def _mounts_below(root: Path) -> list[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted((line.split()[4] for line in lines if line.split()[4].startswith(f"{root}/")), reverse=True)
