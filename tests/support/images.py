"""Small root file systems for tests as tar archives; `debian.py` makes a whole one."""

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


def _entry(name: str, mode: int, *, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.type, entry.size, entry.linkname = mode, kind, size, link
    return entry


# What a person types in a shell, and what the tests look with.
PROGRAMS = (
    "bash",
    "cat",
    "hostname",
    "id",
    "ls",
    "mkdir",
    "ps",
    "rm",
    "sleep",
    "stat",
    "stty",
    "touch",
    "tty",
    "uname",
)


def make_bash(target: Path) -> Path:
    """Write a tar of a small Debian: bash and some programs of this host with their libraries.

    It stands for debian and ubuntu where a real one would have to be downloaded first.
    """
    files = {
        f"usr/bin/{name}": Path(found).resolve() for name in PROGRAMS if (found := shutil.which(name, path="/usr/bin"))
    }
    listed = subprocess.run(["ldd", *map(str, files.values())], capture_output=True, text=True, check=False).stdout
    for word in set(listed.split()):
        if word.startswith(("/lib", "/usr/lib")) and not word.endswith(":"):
            files[word.lstrip("/") if word.startswith("/usr") else f"usr{word}"] = Path(word).resolve()
    texts = {
        "etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
        "etc/group": "root:x:0:\n",
        "etc/bash.bashrc": "PS1='\\u@\\h:\\w\\$ '\n",
        "etc/os-release": Path("/etc/os-release").read_text(),
    }
    with tarfile.open(target, "w") as archive:
        for name in (
            "etc",
            "home",
            "proc",
            "root",
            "sys",
            "dev",
            "tmp",
            "usr",
            "usr/bin",
            "usr/lib",
            "usr/lib64",
            "var",
        ):
            archive.addfile(_entry(name, 0o755, kind=tarfile.DIRTYPE))
        for name in ("bin", "lib", "lib64"):
            archive.addfile(_entry(name, 0o777, kind=tarfile.SYMTYPE, link=f"usr/{name}"))
        archive.addfile(_entry("usr/bin/sh", 0o777, kind=tarfile.SYMTYPE, link="bash"))
        for name, source in sorted(files.items()):
            content = source.read_bytes()
            archive.addfile(_entry(name, 0o755, size=len(content)), io.BytesIO(content))
        for name, text in texts.items():
            archive.addfile(_entry(name, 0o644, size=len(text.encode())), io.BytesIO(text.encode()))
    return target
