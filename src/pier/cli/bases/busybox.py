"""A root file system of busybox alone: this machine's static one, or that of Debian's package."""

from __future__ import annotations

import os
import shutil

from pier.cli.bases import programs
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr/bin", "usr/sbin", "var/spool", "sbin")
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUP = "root:x:0:\nnobody:x:65534:\n"
MODES = {"tmp": 0o1777, "root": 0o700}


def static_busybox() -> str:
    """A busybox of this machine that needs no libraries; empty when there is none."""
    found = shutil.which("busybox")
    if not found:
        return ""
    with open(found, "rb") as file:
        head = file.read(1 << 16)
    return found if b"/ld-linux" not in head and b"/ld-musl" not in head else ""


def make(directory: str, say: Callable[[str], None]) -> int:
    """Make the tree in `root` below the directory; its date (the program's) in seconds since 1970."""
    root = os.path.join(directory, "root")
    source = static_busybox()
    if source:
        say(f"Taking {source}")
    else:
        say("Downloading Debian's busybox-static")
        source = _download("busybox-static", directory)
    for name in DIRECTORIES:
        os.makedirs(os.path.join(root, name), exist_ok=True)
    binary = os.path.join(root, "bin", "busybox")
    shutil.copyfile(source, binary)
    os.chmod(binary, 0o755)  # noqa: S103 - a program
    applets = programs.run([binary, "--list"], "listing busybox's applets").split()
    for applet in applets:
        if applet != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", applet))
    for name, text in (("passwd", ACCOUNTS), ("group", GROUP)):
        path = os.path.join(root, "etc", name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
    for path, _, _ in os.walk(root):  # whatever this user's umask is
        os.chmod(path, MODES.get(os.path.relpath(path, root), 0o755))
    return int(os.stat(source).st_mtime)


def _download(package: str, directory: str) -> str:
    """The package's busybox, unpacked by dpkg from what apt downloads and verifies."""
    os.chmod(directory, 0o755)  # noqa: S103 - apt downloads as a user of its own
    programs.run(["apt-get", "download", package], f"downloading {package}", directory)
    archives = [name for name in os.listdir(directory) if name.endswith(".deb")]
    unpacked = os.path.join(directory, "package")
    programs.run(["dpkg-deb", "-x", os.path.join(directory, archives[0]), unpacked], f"unpacking {package}")
    for candidate in ("bin/busybox", "usr/bin/busybox"):
        if os.path.exists(os.path.join(unpacked, candidate)):
            return os.path.join(unpacked, candidate)
    raise Failure(f"{package} has no busybox in it")
