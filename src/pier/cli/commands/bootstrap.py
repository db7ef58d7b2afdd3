"""`pier image bootstrap`: a base image from Debian's own packages, for where no registry can be reached.

The mirror and the proxy are the ones that apt uses on this machine; nothing is tied to a host. The tree is streamed
into an import; with the daemon far away it works as well. The same packages give the same image id.
"""

from __future__ import annotations

import os
import sys
import tempfile

from pier.cli.bases import busybox, debian
from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.packing import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pier.cli.flags import Parsed

FLAGS = """
-c, --change list      Apply Dockerfile instruction to the created image
    --keyring string   Keys that may have signed the mirror's files (default "{keyring}")
    --mirror string    Address of the Debian mirror (default: the one that apt uses here)
-p, --package list     Install a Debian package and what it needs (several by commas)
-q, --quiet            Print only the image's ID
-t, --tag string       Name of the image (default: the name of what is built)
""".replace("{keyring}", debian.KEYRING)
PATH = 'ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm/v7", "i686": "386"}


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Build the tree and import it."""
    name, _, tag = arguments[0].partition(":")
    report = _Report(quiet=flags.on("quiet"))
    build = _Build(cli, flags, report)
    if name == "busybox" and tag in ("", "latest"):
        _refuse(flags, ("package", "mirror", "keyring"))
        with tempfile.TemporaryDirectory(prefix="pier-bootstrap-") as directory:
            date = epoch(busybox.make(directory, report.say))
            tree = pack(os.path.join(directory, "root"), ".", follow=False, keep_owner=False, time=date)
            build.finish("busybox:latest", "sh", tree, date)
    elif name == "debian":
        suite = "bookworm" if tag in ("", "latest") else tag
        packages = debian.packages_of(flags.many("package"))
        mirror = flags.text("mirror") or debian.apt_mirror()
        source = debian.Source(mirror, suite, flags.text("keyring") or debian.KEYRING)
        report.say(f"Verifying {source.suite} on {source.mirror}")
        date = epoch(source.date())
        report.say(" ".join(["Building", f"debian:{suite}", *(["with"] if packages else []), *packages]))
        build.finish(f"debian:{tag or suite}", "bash", debian.tree(source, packages, date), date)
    else:
        raise Failure(f"cannot bootstrap {arguments[0]}: known are busybox and debian:SUITE, such as debian:bookworm")


def epoch(date: int) -> int:
    """The time that the image gets: SOURCE_DATE_EPOCH of the environment, or that of what it is made of."""
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if text and not text.isdecimal():
        raise Failure(f"invalid SOURCE_DATE_EPOCH {text!r}: a number of seconds is needed")
    return int(text) if text else date


def _refuse(flags: Parsed, names: tuple[str, ...]) -> None:
    for name in names:
        if flags.many(name) if name == "package" else flags.text(name):
            raise Failure(f"--{name} is for Debian images: busybox is one program")


class _Report:
    """Says on stderr what is being done."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


class _Build:
    """The second half: the tree becomes an image of the daemon."""

    def __init__(self, cli: Cli, flags: Parsed, report: _Report) -> None:
        self._cli = cli
        self._flags = flags
        self._report = report

    def finish(self, default: str, command: str, archive: Iterator[bytes], date: int) -> None:
        from pier.cli.output.references import split
        from pier.client.documents import decode

        target = self._flags.text("tag") or default
        repository, tag = split(target)
        machine = os.uname().machine
        query: dict[str, str | list[str]] = {
            "repo": repository,
            "tag": tag or "latest",
            "message": "Built from Debian packages",
            "changes": [PATH, f'CMD ["{command}"]', *self._flags.many("change")],
            "platform": f"linux/{ARCHITECTURES.get(machine, machine)}",
            "created": str(date),
        }
        self._report.say(f"Importing {target}")
        response = self._cli.client.open("POST", "/pier/v1/images/import", query, archive)
        self._cli.out(decode(response.read())["Id"])


DEFINITIONS = {"image bootstrap": Definition("[OPTIONS] busybox|debian[:SUITE]", run, flags=FLAGS, least=1, most=1)}
