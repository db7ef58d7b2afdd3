"""A Debian root file system of this host's own packages: the essential ones and what they depend on, without a network.

What mmdebstrap would download and unpack in a minute lies here already, file by file as dpkg recorded it.
"""

import os
import re
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

INFO = Path("/var/lib/dpkg/info")
LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/locale/", "/usr/share/info/", "/usr/share/perl/")
MERGED = {"bin": "usr/bin", "sbin": "usr/sbin", "lib": "usr/lib", "lib64": "usr/lib64"}
EMPTY = ("dev", "home", "media", "mnt", "opt", "proc", "root", "run", "srv", "sys", "tmp")
FIELDS = ("Package", "Essential", "Depends", "Pre-Depends", "Provides", "Status")


def make_debian(target: Path, *also: str, links: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Write the tar (about 55 MB) with the packages named `also`. Its accounts are Debian's own, not this host's."""
    files = sorted({path for package in essential(*also) for path in recorded(package)})
    with tarfile.open(target, "w") as archive:
        for name, place in (MERGED | links).items():
            archive.addfile(_entry(name, tarfile.SYMTYPE, 0o777, place))
        done: set[str] = set()
        for path in files:
            _add(archive, path, done)
        for name in ("passwd", "group"):
            archive.add(f"/usr/share/base-passwd/{name}.master", f"etc/{name}")
        for name in sorted(set(EMPTY) - done):
            archive.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
    return target


def essential(*also: str) -> list[str]:
    """Names of the installed packages that Debian calls essential, of those named, and of all that they depend on."""
    listed = _query("-W", "-f", "\t".join(f"${{{name}}}" for name in FIELDS) + "\n")
    known: dict[str, list[str]] = {}
    wanted = [*also]
    for line in listed.splitlines():
        package, is_essential, depends, before, provides, status = line.split("\t")
        if status.endswith(" installed"):
            needed = [word for word in re.split(r"[,|]", f"{depends},{before}") if word.strip()]
            known[package] = [re.split(r"[\s(:]", word.strip())[0] for word in needed]
            for name in provides.split(","):
                known.setdefault(name.strip().partition(" ")[0], [package])
            if is_essential == "yes":
                wanted.append(package)
    found: set[str] = set()
    while wanted:
        package = wanted.pop()
        if package in known and package not in found:
            found.add(package)
            wanted += known[package]
    return sorted(found)


def recorded(package: str) -> list[str]:
    """Paths that dpkg unpacked for a package; none for a name that is only provided."""
    lists = [*INFO.glob(f"{package}.list"), *INFO.glob(f"{package}:*.list")]
    return [line for path in lists[:1] for line in path.read_text().splitlines() if not line.startswith(LEFT_OUT)]


def _add(archive: tarfile.TarFile, path: str, done: set[str]) -> None:
    """Add one path where it lies on a merged /usr, with the directories above it, and nothing below it."""
    name = path.strip("/").removesuffix(".")
    first, slash, rest = name.partition("/")
    name = MERGED[first] + slash + rest if first in MERGED else name
    if not name or name in done or not os.path.lexists(f"/{name}"):
        return
    above = name.rpartition("/")[0]
    if above:
        _add(archive, above, done)
    done.add(name)
    archive.add(f"/{name}", name, recursive=False)


def _entry(name: str, kind: bytes, mode: int, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.linkname = kind, mode, link
    return entry


def _query(*arguments: str) -> str:
    return subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=True).stdout
