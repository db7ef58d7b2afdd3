"""The OCI command line's containers: one directory each under its root, and what the kernel says of them now."""

import json
import os
import shutil
import socket
from dataclasses import asdict, dataclass, field
from pathlib import Path

from pier.kernel import cgroup
from pier.runtime.cgroups import ContainerCgroup
from pier.runtime.sync import Message
from pier.spec.errors import Conflict, InvalidParameter, NotFound

_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")


@dataclass
class Container:
    """What is kept of a container; `born`, its init's start time, tells it from a later process of the same number."""

    id: str
    bundle: str
    pid: int
    born: str
    cgroup: str
    created: str
    oci_version: str
    annotations: dict[str, str] = field(default_factory=dict)
    directory: str = ""
    rootfs: str = ""

    @property
    def starter(self) -> Path:
        """The socket that init waits at until it is started."""
        return Path(self.directory, "start.sock")

    def group(self) -> ContainerCgroup:
        """Its control group."""
        return ContainerCgroup(self.cgroup)

    def status(self) -> str:
        """created, running, paused or stopped."""
        if born(self.pid) != self.born:
            return "stopped"
        if self.starter.exists():
            return "created"
        try:
            return "paused" if self.group().frozen() else "running"
        except OSError:
            return "running"

    def state(self, status: str = "") -> Message:
        """The state that the specification wants; `status` instead of what the kernel says now."""
        status = status or self.status()
        return {
            "ociVersion": self.oci_version,
            "id": self.id,
            "pid": 0 if status == "stopped" else self.pid,
            "status": status,
            "bundle": self.bundle,
            "rootfs": self.rootfs,
            "created": self.created,
            "owner": "",
            **({"annotations": self.annotations} if self.annotations else {}),
        }

    def start(self) -> str:
        """Let init go on; what failed, or "" when the program runs."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            _at(self.starter, connection.connect)
            self.starter.unlink()
            failed = connection.recv(65536)
        return str(json.loads(failed)["message"]) if failed else ""


def born(pid: int) -> str:
    """When a process was started, by the kernel's clock; "" for none, or one that is dead."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


class Store:
    """The containers under one root directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, identity: str) -> Path:
        """The directory of a new container. Raises InvalidParameter, Conflict."""
        if not identity or not set(identity) <= _ALLOWED or identity in (".", ".."):
            raise InvalidParameter(f"invalid container ID format: {identity!r}")
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory = self.root / identity
        try:
            directory.mkdir(mode=0o700)
        except FileExistsError:
            raise Conflict("container with given ID already exists") from None
        return directory

    def listen(self, directory: Path) -> socket.socket:
        """The socket that init will wait at."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        _at(directory / "start.sock", listener.bind)
        listener.listen(1)
        return listener

    def save(self, container: Container) -> None:
        """Write a container's file."""
        path = Path(container.directory, "state.json")
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(container)))
        temporary.rename(path)

    def find(self, identity: str) -> Container:
        """A container by its name. Raises NotFound."""
        try:
            if not identity or not set(identity) <= _ALLOWED:
                raise NotFound("container does not exist")
            return Container(**json.loads((self.root / identity / "state.json").read_text()))
        except (OSError, ValueError, TypeError):
            raise NotFound("container does not exist") from None

    def all(self) -> list[Container]:
        """Every container, by name."""
        names = sorted(os.listdir(self.root)) if self.root.is_dir() else []
        return [self.find(name) for name in names if (self.root / name / "state.json").exists()]

    def forget(self, identity: str) -> None:
        """Remove a container's directory."""
        shutil.rmtree(self.root / identity, ignore_errors=True)


def end_group(path: str) -> None:
    """Kill what is in a control group, and remove it."""
    group = ContainerCgroup(path, cgroup.detect())
    if group.exists():
        group.kill()
        group.remove()


def _at(path: Path, act: "Callable[[str], object]") -> None:
    """Bind or connect by a short name: the path of a socket may have 107 bytes."""
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        act(f"/proc/self/fd/{directory}/{path.name}")
    finally:
        os.close(directory)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
