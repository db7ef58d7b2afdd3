"""The stage of the escapes: a canary that notices every touch, hostile images, a racer, and a program inside."""

import hashlib
import io
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from pier.kernel.libc import call
from tests.support.commands import Result, run
from tests.support.engines import Engine

_HERE, _RENAME_EXCHANGE = -100, 2
# Debian's interpreter, shown to containers by a bind of /usr: it makes any system call an attacker would.
PYTHON = ("/usr/bin/python3", "-I", "-S", "-c")
TOOLS = "tools"


def rounds(modest: int, full: int) -> int:
    """How often a race is tried: PIER_ROUNDS=full asks for the published figure."""
    return full if os.environ.get("PIER_ROUNDS") == "full" else modest


class Canary:
    """A directory of the host that nothing may touch: changes, creations and removals show in its trace."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "deep").mkdir(parents=True)
        (root / "secret").write_text("canary-secret\n")
        (root / "secret").chmod(0o640)
        (root / "deep" / "program").write_bytes(b"\x7fELF canary")
        (root / "deep" / "program").chmod(0o750)
        self.before = self.trace()

    def trace(self) -> dict[str, tuple[object, ...]]:
        """Every path with its owner, mode and time of change (which nobody can set back), and what it holds."""
        return {str(path): _facts(path) for path in (self.root, *sorted(self.root.rglob("*")))}

    def check(self) -> None:
        """Fail if anything changed, or if something was mounted on it."""
        assert self.trace() == self.before
        assert str(self.root) not in Path("/proc/self/mountinfo").read_text()

    def routes(self) -> tuple[str, ...]:
        """Targets of links that would lead here, if anybody followed them on the host."""
        return (str(self.root), "../" * 24 + str(self.root)[1:], f"/proc/self/root{self.root}")


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = path.read_bytes() if path.is_file() else b""
    return status.st_mode, status.st_uid, status.st_gid, status.st_ctime_ns, hashlib.sha256(content).hexdigest()


def fingerprints(*paths: Path) -> dict[str, str]:
    """The content of files, as digests."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def make_image(
    engine: Engine,
    name: str,
    *changes: str,
    links: Mapping[str, str] | None = None,
    files: Mapping[str, str | bytes] | None = None,
) -> None:
    """Make an image of busybox in /bin, with links and files of the test's choice: nothing else is in it."""
    packed = io.BytesIO()
    busybox = shutil.which("busybox")
    assert busybox, "busybox-static is not installed"
    contents: dict[str, str | bytes] = {"bin/busybox": Path(busybox).read_bytes(), **(files or {})}
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path, content in contents.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
        applets = {
            f"bin/{applet}": "busybox" for applet in run([busybox, "--list"]).ok().split() if applet != "busybox"
        }
        for path, target in {**applets, **(links or {})}.items():
            entry = tarfile.TarInfo(path)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    query = "".join(f"&changes={quote(change)}" for change in changes or ('CMD ["sh"]',))
    headers = {"Content-Type": "application/x-tar"}
    engine.api(
        "POST", f"/images/create?fromSrc=-&repo={name}&tag=latest{query}", raw=packed.getvalue(), headers=headers
    ).ok()


def make_tools(engine: Engine) -> None:
    """Make the image in which `inside` runs the host's interpreter."""
    make_image(engine, TOOLS, links={"lib": "usr/lib", "lib64": "usr/lib64"}, files={"etc/group": "root:x:0:\n"})


def inside(engine: Engine, program: str, *flags: str, timeout: float = 60) -> Result:
    """Run a Python program in a container of its own, without a network."""
    binds = ("-v", "/usr:/usr:ro")
    return engine.docker(
        "run", "--rm", "--network", "none", *binds, *flags, TOOLS, *PYTHON, program, timeout=timeout
    )  # fmt: skip


def shell(engine: Engine, script: str, *flags: str, image: str = "busybox") -> str:
    """What a shell prints in a container of its own, without a network."""
    return engine.docker("run", "--rm", "--network", "none", *flags, image, "sh", "-c", script).ok()


@contextmanager
def exchanging(first: Path, second: Path) -> Iterator[None]:
    """Exchange two names all the while, as fast as the kernel lets a thread."""
    over = threading.Event()

    def race() -> None:
        while not over.is_set():
            call("renameat2", _HERE, bytes(first), _HERE, bytes(second), _RENAME_EXCHANGE)

    racer = threading.Thread(target=race)
    racer.start()
    try:
        yield
    finally:
        over.set()
        racer.join()
