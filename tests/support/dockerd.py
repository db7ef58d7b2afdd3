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

    @staticmethod
    def missing() -> str:
        """Why it cannot run here, or an empty text."""
        return "" if shutil.which(program()) else "dockerd is not installed"

    def command(self) -> list[str]:
        return [
            program(), *self.places(), *self.configuration("daemon.json"), "--bridge", self.bridge,
            "--iptables=false", "--ip6tables=false", "--log-level", "error", "--shutdown-timeout", "2", *self.flags,
        ]  # fmt: skip

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
        for mount in mounts_below(self.root):
            run(["umount", "-l", mount])
        shutil.rmtree(self.root, ignore_errors=True)
        self.owned.close()


def program() -> str:
    """dockerd's path, also where PATH lacks the system's folders."""
    return shutil.which("dockerd", path="/usr/sbin:/usr/bin:/usr/local/bin") or "dockerd"


def mounts_below(root: Path) -> list[str]:
    """Mount points under `root`, deepest first."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return sorted((line.split()[4] for line in lines if line.split()[4].startswith(f"{root}/")), reverse=True)
