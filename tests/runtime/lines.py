"""The OCI command line, driven on a bundle of the test's own; runc's too, to compare with."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.runtime.bundles import Runtime


class Line:
    """The command line on a bundle and a root of the test's own."""

    program: tuple[str, ...] = (sys.executable, "-m", "pier.runtime.main")

    def __init__(self, directory: Path, rootfs: Path, runtime: Runtime) -> None:
        self.bundle, self.state = directory / "bundle", directory / "state"
        self.group = f"{runtime.parent}/{directory.name}"
        (self.bundle / "rootfs").mkdir(parents=True)
        subprocess.run(["cp", "-a", f"{rootfs}/.", str(self.bundle / "rootfs")], check=True)
        (self.bundle / "rootfs").chmod(0o755)

    def write(self, document: dict[str, Any]) -> None:
        """Put a configuration into the bundle."""
        document["linux"]["cgroupsPath"] = self.group
        (self.bundle / "config.json").write_text(json.dumps(document))

    def __call__(self, *words: str, code: int = 0, **options: Any) -> str:
        """Run a command; what it printed. To a file: a created container keeps the caller's streams."""
        command = [*self.program, "--root", str(self.state), *words]
        options = {"stdin": subprocess.DEVNULL, "cwd": self.bundle, "timeout": 60, **options}
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(command, stdout=output, stderr=output, check=False, **options)
            output.seek(0)
            printed = output.read()
        assert done.returncode == code, printed
        return printed

    def status(self) -> str:
        """The container's status."""
        status: str = json.loads(self("state", "one"))["status"]
        return status
