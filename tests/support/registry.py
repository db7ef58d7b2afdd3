"""Debian's docker-registry on a port that the kernel chooses, plain HTTP on loopback, for pulls and pushes."""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.commands import wait_until

CONFIGURATION = """\
version: 0.1
log: {{level: info, formatter: json, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {storage}}}, delete: {{enabled: true}}}}
http: {{addr: "127.0.0.1:0"}}
"""
PASSWORDS = "auth: {{htpasswd: {{realm: test, path: {path}}}}}\n"
ACCOUNT = "alice", "secret"
LINE = "alice:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n"  # bcrypt, as htpasswd -B writes it


class Registry:
    """A running registry; `address` is host:port. With `storage` it serves what is kept there; `prefix` starts it.

    `protected`: for ACCOUNT alone.
    """

    def __init__(self, *, storage: Path | None = None, prefix: Sequence[str] = (), protected: bool = False) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pier-registry-"))
        configuration = CONFIGURATION.format(storage=storage or self.root / "data")
        if protected:
            (self.root / "passwords").write_text(LINE)
            configuration += PASSWORDS.format(path=self.root / "passwords")
        (self.root / "config.yml").write_text(configuration)
        self.log_path = self.root / "log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [*prefix, "docker-registry", "serve", str(self.root / "config.yml")],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.address = ""
        wait_until(self._listens, "docker-registry listens", seconds=30)

    def _listens(self) -> bool:
        log = self.log_path.read_text(errors="replace")
        assert self.process.poll() is None, log
        if found := re.search(r"listening on (127\.0\.0\.1:\d+)", log):
            self.address = found[1]
        return bool(found)

    def close(self) -> None:
        """End it and remove its data."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
