"""Root file systems for tests as tar archives: busybox in a blink, Debian once per machine from Debian's packages."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "pier-tests"


def make_busybox(target: Path) -> Path:
    """Write a tar of Debian's static busybox with its applets as links, passwd, group and the usual directories."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox-static is not installed"
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    with tarfile.open(target, "w") as archive:
        for name, mode in (("bin", 0o755), ("dev", 0o755), ("etc", 0o755), ("home", 0o755), ("proc", 0o755),
                           ("root", 0o700), ("sys", 0o755), ("tmp", 0o1777), ("usr", 0o755), ("usr/bin", 0o755),
                           ("usr/sbin", 0o755), ("var", 0o755), ("sbin", 0o755)):  # fmt: skip
            archive.addfile(_entry(name, mode, kind=tarfile.DIRTYPE))
        program = Path(busybox).read_bytes()
        archive.addfile(_entry("bin/busybox", 0o755, size=len(program)), io.BytesIO(program))
        for applet in applets:
            if applet != "busybox":
                archive.addfile(_entry(f"bin/{applet}", 0o777, kind=tarfile.SYMTYPE, link="busybox"))
        for name, text in (
            (
                "etc/passwd",
                "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n",
            ),
            ("etc/group", "root:x:0:\ndaemon:x:1:\ntape:x:26:daemon\nnogroup:x:65534:\n"),
        ):
            archive.addfile(_entry(name, 0o644, size=len(text)), io.BytesIO(text.encode()))
    return target


def make_debian() -> Path:
    """Give the path of a Debian 12 root file system, made by mmdebstrap from apt's mirror, and kept."""
    target = CACHE / "debian-bookworm-2.tar"
    if not target.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}")
        subprocess.run(
            ["mmdebstrap", "--mode=root", "--variant=minbase", "--format=tar", "--quiet", "bookworm", str(partial)],
            check=True, capture_output=True, timeout=600, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        partial.rename(target)
    return target


def _entry(name: str, mode: int, *, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.linkname = mode, kind, size, link
    return entry
