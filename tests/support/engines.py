"""What tests ask of an engine, whichever it is: docker command line, API, images, and an end without remains."""

import contextlib
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import quote

from tests.support.api import Answer, ask
from tests.support.commands import Result, run, wait_until

# Enough for both engines: an answer of `_ping` on this machine under load.
START_SECONDS = 600 if os.environ.get("PIER_VM") == "1" else 60


class Engine:
    """A daemon of the test's own, with its roots in a short-named directory (unix socket paths end at 107 bytes)."""

    kind = "engine"

    def __init__(self, *flags: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="pier-", dir="/tmp"))
        self.flags = flags
        self.process: subprocess.Popen[bytes] | None = None
        self.socket = str(self.root / "s")
        self.log_path = self.root / "daemon.log"
        self.images: list[tuple[Path, str]] = []

    @property
    def host(self) -> str:
        return f"unix://{self.socket}"

    @property
    def data_root(self) -> Path:
        return self.root / "d"

    @property
    def exec_root(self) -> Path:
        return self.root / "e"

    @property
    def pid(self) -> int:
        assert self.process, "the daemon is not running"
        return self.process.pid

    def command(self) -> list[str]:
        """The daemon's command line."""
        raise NotImplementedError

    def places(self) -> list[str]:
        """The flags that both daemons share: roots, pid file, socket."""
        return [
            "--data-root", str(self.data_root), "--exec-root", str(self.exec_root),
            "--pidfile", str(self.root / "pid"), "-H", self.host,
        ]  # fmt: skip

    def configuration(self, name: str) -> list[str]:
        """The flag for a configuration file of the engine's own, made empty where the test has written none."""
        if not (self.root / name).exists():
            (self.root / name).write_text("{}")
        return ["--config-file", str(self.root / name)]

    def environment(self) -> dict[str, str]:
        """The daemon's environment."""
        return dict(os.environ)

    def start(self) -> None:
        """Start the daemon and return when it answers."""
        assert self.process is None, "the daemon is running already"
        self.launch()
        wait_until(self.answers, f"{self.kind} answers on its socket\n{self.log()[-4000:]}", seconds=START_SECONDS)

    def launch(self) -> None:
        """Start the daemon without waiting for it."""
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(),
                start_new_session=True,
            )  # fmt: skip

    def answers(self) -> bool:
        """Tell whether the daemon answers; fail at once when it has ended."""
        assert self.process
        assert self.process.poll() is None, f"{self.kind} ended with {self.process.returncode}\n{self.log()}"
        try:
            return self.api("GET", "/_ping", timeout=20).status == 200
        except OSError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM, *, seconds: float = 60) -> int:
        """End the daemon alone (its containers may live on) and return its exit status."""
        assert self.process, "the daemon is not running"
        self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process = None

    def kill(self) -> None:
        """Kill -9 the daemon."""
        self.stop(signal.SIGKILL)

    def restart(self) -> None:
        """Stop the daemon and start it again."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Remove every container and the daemon with all it made."""
        raise NotImplementedError

    def log(self) -> str:
        """What the daemon has written so far."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def api(
        self, method: str, target: str, body: object = None, *, version: str | None = None, **how: object
    ) -> Answer:
        """Send one request; `version` (such as "1.41") goes into the path."""
        prefix = f"/v{version}" if version else ""
        return ask(self.socket, method, prefix + target, body, **how)  # type: ignore[arg-type]

    def docker(self, *arguments: str, stdin: str | bytes | None = None, timeout: float = 120) -> Result:
        """Run the docker command line against this engine, with a configuration of its own."""
        return run(["docker", *arguments], stdin=stdin, environment=self.client_environment(), timeout=timeout)

    def client_environment(self) -> dict[str, str]:
        """The environment in which `docker` and SDKs find this engine and nothing of the user's."""
        (self.root / "client").mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("DOCKER_")}
        return kept | {
            "DOCKER_HOST": self.host,
            "DOCKER_CONFIG": str(self.root / "client"),
            "DOCKER_CLI_HINTS": "false",
            "DOCKER_BUILDKIT": "0",
        }

    def load(self, tar: Path, name: str, *changes: str) -> None:
        """Make the image `name` from a root file system's archive; the command defaults to a shell."""
        repository, _, tag = name.partition(":")
        query = "".join(f"&changes={quote(change)}" for change in changes or ('CMD ["sh"]',))
        with tar.open("rb") as source:
            size = {"Content-Length": str(tar.stat().st_size), "Content-Type": "application/x-tar"}
            self.api(
                "POST", f"/images/create?fromSrc=-&repo={quote(repository)}&tag={tag or 'latest'}{query}", raw=source,
                headers=size, timeout=300,
            ).ok()  # fmt: skip

    def remove_containers(self) -> None:
        """Remove every container with its anonymous volumes."""
        for container in self.api("GET", "/containers/json?all=1").ok():
            with contextlib.suppress(OSError):
                self.api("DELETE", f"/containers/{container['Id']}?force=1&v=1")
