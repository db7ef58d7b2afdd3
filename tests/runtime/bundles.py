"""A root file system, configurations, and a runtime of the test's own."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from pier.kernel import cgroup
from pier.runtime.launch import Attachment, ExecRequest, Exit, Keeper, Launcher, LaunchRequest, LogTarget, OverlayRoot

T = TypeVar("T")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CAPABILITIES = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]  # fmt: skip
_APPLETS = (
    "sh ls cat true false echo sleep id mount umount ps seq yes head tail stty tty env dd grep hostname kill mkdir"
)
_APPLETS += " mknod touch pwd wc test readlink"
SECONDS = 60


def make_rootfs(directory: Path) -> Path:
    """A busybox root file system as a directory, with files that cannot be executed."""
    for name in ("bin", "etc", "root", "tmp"):
        (directory / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", directory / "bin/busybox")
    for applet in _APPLETS.split():
        (directory / "bin" / applet).symlink_to("busybox")
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (directory / "etc/group").write_text("root:x:0:\n")
    for name, content in (("garbage", "garbage"), ("badscript", "#!/nonexistent\n")):
        (directory / "bin" / name).write_text(content)
        (directory / "bin" / name).chmod(0o755)
    (directory / "bin/unexecutable").write_text("x")
    return directory


def config(*args: str, tty: bool = False, **changes: Any) -> dict[str, Any]:
    """Docker's usual configuration; keyword arguments replace parts of the process."""
    process = {
        "terminal": tty, "user": {"uid": 0, "gid": 0}, "args": list(args), "env": [PATH, "HOME=/root"], "cwd": "/",
        "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES), "oomScoreAdj": 0,
    }  # fmt: skip
    return {
        "ociVersion": "1.0.2",
        "process": {**process, **changes},
        "root": {"path": "rootfs"},
        "hostname": "box",
        "mounts": [
            _mount("/proc", "proc", "proc", "nosuid,noexec,nodev"),
            _mount("/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k"),
            _mount("/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
            _mount("/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro"),
            _mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro,nosuid,noexec,nodev"),
            _mount("/dev/mqueue", "mqueue", "mqueue", "nosuid,noexec,nodev"),
            _mount("/dev/shm", "tmpfs", "shm", "nosuid,noexec,nodev,mode=1777,size=67108864"),
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("mount", "network", "uts", "pid", "ipc")],
            "maskedPaths": ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def _mount(destination: str, kind: str, source: str, options: str) -> dict[str, Any]:
    return {"destination": destination, "type": kind, "source": source, "options": options.split(",")}


def bind(source: Path | str, destination: str, *options: str) -> dict[str, Any]:
    """A bind mount's entry."""
    return {"destination": destination, "type": "bind", "source": str(source), "options": ["rbind", *options]}


class Runtime:
    """A launcher with an event loop, roots and a control group of its own."""

    def __init__(self, directory: Path, rootfs: Path) -> None:
        self.directory, self.rootfs = directory, rootfs
        self.instance = f"t{os.getpid()}"
        self.parent = f"/pier-{self.instance}"
        self._runner = asyncio.Runner()
        self._keepers: list[Keeper] = []
        self.launcher: Launcher = self.start()

    def start(self) -> Launcher:
        """A launcher on the same roots, as after a restart of the daemon."""
        start = Launcher.start(exec_root=self.directory / "exec", instance=self.instance)
        self.launcher = self.run(start)
        return self.launcher

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, in time."""
        return self._runner.run(asyncio.wait_for(work, SECONDS))

    def request(self, document: dict[str, Any], name: str = "c1", **changes: Any) -> LaunchRequest:
        """A launch request with an overlay of the root file system."""
        own = self.directory / name
        for part in ("upper", "work"):
            (own / part).mkdir(parents=True, exist_ok=True)
        return replace(
            LaunchRequest(
                id=name,
                directory=self.directory / "exec" / name,
                config=json.dumps(document).encode(),
                root=OverlayRoot((str(self.rootfs),), str(own / "upper"), str(own / "work")),
                cgroup=f"{self.parent}/{name}",
                exit_path=own / "exit.json",
                log=LogTarget(str(own / "log.json")),
                tty=document["process"]["terminal"],
            ),
            **changes,
        )

    def launch(self, document: dict[str, Any], name: str = "c1", **changes: Any) -> Keeper:
        """Start a container; it is ended when the test is."""
        keeper = self.run(self.launcher.launch(self.request(document, name, **changes)))
        self._keepers.append(keeper)
        return keeper

    def exec(self, container: Keeper, *args: str, clients: tuple[Attachment, ...] = (), **changes: Any) -> Keeper:
        """Run one more process; keyword arguments replace parts of the process object."""
        options = {key: changes.pop(key) for key in ("open_stdin", "size") if key in changes}
        process = {"args": list(args), "env": [PATH], "cwd": "/", "user": {"uid": 0, "gid": 0}, **changes}
        request = ExecRequest(
            id="e1",
            directory=self.directory / "exec" / container.id / "exec-e1",
            process=json.dumps(process).encode(),
            tty=bool(process.get("terminal")),
            attachments=clients,
            **options,
        )
        return self.run(self.launcher.exec(container, request))

    def end(self, keeper: Keeper) -> Exit:
        """Wait for a container's end."""

        async def wait() -> Exit:
            return await asyncio.shield(keeper.exited())

        return self.run(wait())

    def output(self, document: dict[str, Any], name: str = "c1", **changes: Any) -> str:
        """Run a container to its end; what it wrote, both streams as the log has them."""
        self.end(self.launch(document, name, **changes))
        return self.log(name)

    def log(self, name: str = "c1") -> str:
        """The text of a container's log."""
        lines = (self.directory / name / "log.json").read_text().splitlines()
        return "".join(json.loads(line)["log"] for line in lines)

    def groups(self) -> list[str]:
        """Control groups below ours that are still there, slots aside."""
        found = [path for point in cgroup.detect().mount_points() for path in Path(f"{point}{self.parent}").glob("*")]
        return sorted(str(path) for path in found if path.is_dir() and not path.name.startswith("slot-"))

    def end_all(self) -> None:
        """End every container; one that fails to end stays out of the next test's way."""
        keepers, self._keepers = [keeper for keeper in self._keepers if not keeper.closed], []
        with contextlib.ExitStack() as ending:
            for keeper in keepers:
                ending.callback(self._end, keeper)
        assert self.groups() == []

    def _end(self, keeper: Keeper) -> None:
        try:
            with contextlib.suppress(Exception):
                self.run(keeper.signal(9))
            self.end(keeper)
        finally:
            keeper.close()

    def close(self) -> None:
        """End every container, then the launcher; nothing may be left."""
        self.end_all()
        self.run(self.launcher.close())
        self._runner.close()
        left = [f"{point}{self.parent}" for point in cgroup.detect().mount_points()]
        assert not [path for path in left if os.path.exists(path)], "control groups are left"


class Client:
    """One end of a socket pair whose other end is a container's client."""

    def __init__(self, **wants: Any) -> None:
        self.socket, self._theirs = socket.socketpair()
        self.socket.settimeout(SECONDS)
        self.attachment = Attachment(fd=self._theirs.fileno(), **wants)

    def handed_over(self) -> None:
        """Close our copy of what the keeper has now."""
        self._theirs.close()

    def until(self, what: bytes) -> bytes:
        """Read until `what` has come; the whole."""
        text = b""
        while what not in text:
            part = self.socket.recv(65536)
            assert part, f"the stream ended after {text!r}"
            text += part
        return text

    def rest(self) -> bytes:
        """Read to the end."""
        text = b""
        while part := self.socket.recv(65536):
            text += part
        return text

    def close(self) -> None:
        """Be gone."""
        self.socket.close()


@contextlib.contextmanager
def client(**wants: Any) -> Iterator[Client]:
    """A client that is closed at the end."""
    made = Client(**wants)
    try:
        yield made
    finally:
        made.close()


def kind_of(path: Path) -> str:
    """What is at a path, without following links."""
    mode = path.lstat().st_mode
    return "link" if stat.S_ISLNK(mode) else "directory" if stat.S_ISDIR(mode) else "file"


def children(pid: int) -> list[int]:
    """The children of a process."""
    listed = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in listed.stdout.split()]
