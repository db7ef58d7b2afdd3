"""Our own daemon for tests: own roots, own bridge, and proof at its end that nothing of it stayed in the kernel."""

import contextlib
import hashlib
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from pier.kernel.chains import ForwardChain
from tests.support import host
from tests.support.commands import run, wait_until
from tests.support.engines import Engine
from tests.support.subnets import subnet

SOURCE = Path(__file__).parents[2] / "src"
PROGRAM = (sys.executable, "-m", "pier.daemon.main")


class Pierd(Engine):
    """A pierd started from the source tree."""

    kind = "pierd"

    def __init__(self, *flags: str) -> None:
        super().__init__(*flags)
        self.owned = ExitStack()
        self.bip = self.owned.enter_context(subnet())
        self.data_root.mkdir(mode=0o710)
        self.instance = hashlib.sha256(os.path.realpath(self.data_root).encode()).hexdigest()[:8]

    def command(self) -> list[str]:
        given = {flag.partition("=")[0] for flag in self.flags}
        bridge = [] if {"--bridge", "--bip", "-b"} & given else ["--bip", self.bip]
        configuration = [] if "--config-file" in given else self.configuration("pierd.json")
        wanted = os.environ.get("PIER_TEST_RUNTIME")
        runtime = ["--default-runtime", wanted] if wanted and not {"--default-runtime", "--config-file"} & given else []
        return [*PROGRAM, *self.places(), *configuration, *bridge, *runtime, *self.flags]

    def environment(self) -> dict[str, str]:
        return dict(os.environ) | {"PYTHONPATH": str(SOURCE), host.MARK: str(self.root)}

    def holdings(self) -> host.Holdings:
        """What the kernel holds for this daemon now."""
        return host.of_instance(self.instance, (str(self.root),))

    def close(self) -> None:
        """Remove containers, stop the daemon, and fail if mounts, links, cgroups, tables or processes stayed."""
        try:
            if self.process is None:
                self.start()
            self.remove_containers()
            assert self.stop() == 0, f"pierd's exit status is not 0\n{self.log()[-4000:]}"
            wait_until(
                lambda: not self.holdings().processes, f"processes of {self.root} end: {self.holdings().processes}"
            )
            left = [line for line in self.holdings().since(host.Holdings()) if not self._may_stay(line)]
            assert not left, f"left behind by pierd on {self.root}:\n" + "\n".join(left) + f"\n{self.log()[-3000:]}"
            assert "Traceback" not in self.log(), self.log()[-6000:]
        finally:
            self.sweep()

    def _may_stay(self, line: str) -> bool:
        """A stopped daemon keeps its bridge, its table and its empty parent cgroup for containers that live on."""
        kind, _, name = line.partition(": ")
        return (
            (kind == "links" and name.startswith("pier-"))
            or (kind == "tables")
            or (kind == "cgroups" and name.endswith(f"pier-{self.instance}"))
        )

    def sweep(self) -> None:
        """Take away by force whatever is left, so that one failed test does not spoil the next."""
        if self.process:
            with contextlib.suppress(Exception):
                self.stop(signal.SIGKILL)
        left = self.holdings()
        for line in left.processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(line.split()[0]), signal.SIGKILL)
        self._kill_cgroups(left.cgroups)
        self._remove_network(left)
        shutil.rmtree(self.root, ignore_errors=True)
        self.owned.close()

    def _kill_cgroups(self, paths: frozenset[str]) -> None:
        for path in sorted(paths, reverse=True):
            for _ in range(50):
                with contextlib.suppress(OSError):
                    for pid in (Path(path) / "cgroup.procs").read_text().split():
                        os.kill(int(pid), signal.SIGKILL)
                try:
                    os.rmdir(path)
                except FileNotFoundError:
                    break
                except OSError:
                    with contextlib.suppress(OSError):
                        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                    continue
                break

    def _remove_network(self, left: host.Holdings) -> None:
        for link in sorted(left.links):
            run(["ip", "link", "delete", link])
        for table in sorted(left.tables):
            run(["nft", "delete", *table.split()])
            tag, chain = table.split()[-1], ForwardChain()
            with contextlib.suppress(OSError):
                chain.change(tag, remove=[rule.handle for rule in chain.tagged(tag)])
            chain.close()
