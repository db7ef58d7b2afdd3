"""A Debian root file system from a mirror: its Release file is verified first, and its date is the image's.

mmdebstrap and apt do the building: every package is checked against the signed Release file, and what would differ
from one build to the next (time stamps, logs, caches, the machine's names) is left out.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from email.utils import parsedate_to_datetime

from pier.cli.bases import programs
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_FETCH = "/usr/lib/apt/apt-helper"
_SUITE = re.compile(r"[a-z][a-z0-9-]*(?:/[a-z]+)?\Z")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+\Z")
_MIRROR = re.compile(r"(?:https?|file)://?[^\s,\[\]]+\Z")
# Hooks are run by a shell that gets the tree as $1. They touch these places alone: mmdebstrap keeps apt's
# configuration in the tree's /tmp, without which its last `apt-get update` and `clean` would empty the HOST's lists.
CLEAN = (
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf" "$1/etc/machine-id" "$1/var/lib/dbus/machine-id"',
    'find "$1/var/log" -xdev -type f -delete',
)


class Source:
    """Where packages come from: a mirror, one suite of it, and the keys that may have signed it."""

    def __init__(self, mirror: str, suite: str, keyring: str) -> None:
        if not _MIRROR.match(mirror):
            raise Failure(f"invalid mirror {mirror!r}: an address such as http://deb.debian.org/debian is needed")
        if not _SUITE.match(suite):
            raise Failure(f"invalid suite {suite!r}")
        if not os.path.isfile(keyring):
            raise Failure(f"no keyring {keyring}: apt-get install debian-archive-keyring, or give one by --keyring")
        self.mirror = mirror.rstrip("/")
        self.suite = suite
        self.keyring = keyring

    def date(self) -> int:
        """The date of the suite's Release file, once its signature is verified, in seconds since 1970."""
        with tempfile.TemporaryDirectory(prefix="pier-bootstrap-") as directory:
            os.chmod(directory, 0o755)  # noqa: S103 - apt downloads as a user of its own
            path = os.path.join(directory, "InRelease")
            self._fetch(path)
            what = f"verifying the signature of {self.suite} on {self.mirror} by {self.keyring}"
            return release_date(programs.run(["gpgv", "--keyring", self.keyring, "--output", "-", path], what))

    def _fetch(self, path: str) -> None:
        address = f"{self.mirror}/dists/{self.suite}/InRelease"
        try:
            programs.run([_FETCH, "download-file", address, path], f"downloading {address}")
        except Failure as failure:
            if re.search(r"\b404\b|File not found|No such file", str(failure)):
                raise Failure(f"{self.mirror} has no suite {self.suite}: there is no {address}") from None
            raise


def release_date(text: str) -> int:
    """The `Date` of a Release file, in seconds since 1970."""
    found = re.search(r"^Date: (.+)$", text, re.MULTILINE)
    if found is None:
        raise Failure("the Release file has no date")
    try:
        return int(parsedate_to_datetime(found[1].replace("UTC", "+0000")).timestamp())
    except (ValueError, TypeError):
        raise Failure(f"the Release file has an invalid date: {found[1][:80]}") from None


def apt_mirror() -> str:
    """The address of the first package index that apt uses here."""
    text = programs.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], "asking apt for its mirror"
    )
    for line in text.splitlines():
        if "security" not in line and line.strip():
            return line.strip()
    raise Failure("apt has no mirror: give one by --mirror")


def packages_of(given: list[str]) -> list[str]:
    """Names of packages, several in one text by commas, checked and sorted."""
    names = sorted({name for text in given for name in text.split(",") if name})
    for name in names:
        if not _PACKAGE.match(name):
            raise Failure(f"invalid package name {name!r}")
    return names


def command(source: Source, packages: list[str]) -> list[str]:
    """The program that writes the tree as an archive to its standard output."""
    hooks = [f"--customize-hook={hook}" for hook in CLEAN]
    included = [f"--include={','.join(packages)}"] if packages else []
    return [
        *("mmdebstrap", "--mode=auto", "--variant=minbase", "--format=tar"),
        *(f"--keyring={source.keyring}", *included, *hooks, source.suite, "-", source.mirror),
    ]


def tree(source: Source, packages: list[str], date: int) -> Iterator[bytes]:
    """The archive of the tree; nothing in it is newer than `date`."""
    if not shutil.which("mmdebstrap"):
        raise Failure("mmdebstrap is not installed: apt-get install mmdebstrap")
    _check_rights()
    return programs.stream(command(source, packages), {"SOURCE_DATE_EPOCH": str(date)}, _explain)


def _check_rights() -> None:
    if os.geteuid() == 0:
        return
    import pwd

    try:
        user = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        user = str(os.geteuid())
    try:
        with open("/etc/subuid", encoding="utf-8") as file:
            granted = any(line.partition(":")[0] in (user, str(os.geteuid())) for line in file)
    except OSError:
        granted = False
    if not granted:
        raise Failure(f"building a Debian image needs root, or a range of user ids for {user} in /etc/subuid")


def _explain(said: str) -> str:
    missing = re.search(r"Unable to locate package (\S+)", said)
    if missing:
        return f"the suite has no package {missing[1]}"
    lines = [line for line in said.strip().splitlines() if line.startswith(("E:", "W: Failed"))]
    return "mmdebstrap failed: " + "; ".join((lines or said.strip().splitlines())[-3:])
