"""`pier image bootstrap`: a base image from Debian's own packages, for where no registry can be reached.

The mirror and the proxy are the ones that apt uses on this machine; nothing is tied to a host. The tree is built in a
temporary directory and streamed into an import; with the daemon far away it works as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.packing import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pier.cli.flags import Parsed

FLAGS = """
-c, --change list      Apply Dockerfile instruction to the created image
    --mirror string    Address of the Debian mirror (default: the one that apt uses here)
-q, --quiet            Print only the image's ID
-t, --tag string       Name of the image (default: the name of what is built)
"""
SUITES = ("bookworm", "trixie", "bullseye", "sid")
DIRECTORIES = ("bin", "dev", "etc", "home", "proc", "root", "sys", "tmp", "usr/bin", "usr/sbin", "var/spool", "sbin")
ACCOUNTS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n"
GROUP = "root:x:0:\nnobody:x:65534:\n"
PATH = 'ENV PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"'


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Build the tree and import it."""
    name, _, tag = arguments[0].partition(":")
    report = _Report(quiet=flags.on("quiet"))
    if name == "busybox":
        default, command = "latest", "sh"
    elif name == "debian" and (not tag or tag in (*SUITES, "latest")):
        default, command = "bookworm", "bash"
    else:
        known = ", ".join(["busybox", *(f"debian:{suite}" for suite in SUITES)])
        raise Failure(f"cannot bootstrap {arguments[0]}: known are {known}")
    target = flags.text("tag") or f"{name}:{tag or default}"
    if ":" not in target.rpartition("/")[2]:
        target += ":latest"
    if name == "busybox":
        with tempfile.TemporaryDirectory(prefix="pier-bootstrap-") as directory:
            _busybox(directory, report)
            archive: Iterator[bytes] = pack(os.path.join(directory, "root"), ".", follow=False, keep_owner=False)
            _import(cli, flags, target, command, archive, report)
    else:
        suite = "bookworm" if tag in ("", "latest") else tag
        _import(cli, flags, target, command, _debian(suite, flags.text("mirror"), report), report)


class _Report:
    """Says on stderr what is being done."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def say(self, text: str) -> None:
        if not self.quiet:
            sys.stderr.write(text + "\n")
            sys.stderr.flush()


def _import(cli: Cli, flags: Parsed, target: str, command: str, archive: Iterator[bytes], report: _Report) -> None:
    from pier.cli.output.progress import Display
    from pier.cli.output.references import split

    repository, tag = split(target)
    changes = [PATH, f'CMD ["{command}"]', *flags.many("change")]
    query: dict[str, str | list[str]] = {
        "fromSrc": "-",
        "repo": repository,
        "tag": tag,
        "message": "Built from Debian packages",
        "changes": changes,
    }
    report.say(f"Importing {target}")
    response = cli.client.open("POST", "/images/create", query, archive)
    Display(sys.stdout).show(response.lines())


def _run(command: list[str], what: str, directory: str | None = None) -> str:
    try:
        result = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failure(f"{what}: {command[0]} is not installed") from None
    if result.returncode:
        detail = (result.stderr.strip() or result.stdout.strip()).splitlines()[-3:]
        raise Failure(f"{what} failed: " + "; ".join(detail))
    return result.stdout


def _static_busybox() -> str:
    """A busybox of this machine that needs no libraries; empty when there is none."""
    found = shutil.which("busybox")
    if not found:
        return ""
    with open(found, "rb") as file:
        head = file.read(1 << 16)
    return found if b"/ld-linux" not in head and b"/ld-musl" not in head else ""


def _busybox(directory: str, report: _Report) -> None:
    root = os.path.join(directory, "root")
    for name in DIRECTORIES:
        os.makedirs(os.path.join(root, name), exist_ok=True)
    os.chmod(os.path.join(root, "tmp"), 0o1777)  # noqa: S103 - as every /tmp is
    os.chmod(os.path.join(root, "root"), 0o700)
    binary = os.path.join(root, "bin", "busybox")
    source = _static_busybox()
    if source:
        report.say(f"Taking {source}")
    else:
        report.say("Downloading Debian's busybox-static")
        source = _download("busybox-static", directory)
    shutil.copyfile(source, binary)
    os.chmod(binary, 0o755)  # noqa: S103 - a program
    applets = _run([binary, "--list"], "listing busybox's applets").split()
    for applet in applets:
        if applet != "busybox":
            os.symlink("busybox", os.path.join(root, "bin", applet))
    for name, text in (("passwd", ACCOUNTS), ("group", GROUP)):
        with open(os.path.join(root, "etc", name), "w", encoding="utf-8") as file:
            file.write(text)


def _download(package: str, directory: str) -> str:
    """The package's busybox, unpacked by dpkg from what apt downloads."""
    os.chmod(directory, 0o755)  # noqa: S103 - apt downloads as a user of its own
    _run(["apt-get", "download", package], f"downloading {package}", directory)
    archives = [name for name in os.listdir(directory) if name.endswith(".deb")]
    unpacked = os.path.join(directory, "package")
    _run(["dpkg-deb", "-x", os.path.join(directory, archives[0]), unpacked], f"unpacking {package}")
    for candidate in ("bin/busybox", "usr/bin/busybox"):
        if os.path.exists(os.path.join(unpacked, candidate)):
            return os.path.join(unpacked, candidate)
    raise Failure(f"{package} has no busybox in it")


def apt_mirror() -> str:
    """The address of the first package index that apt uses here."""
    text = _run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"], "asking apt for its mirror"
    )
    for line in text.splitlines():
        if "security" not in line and line.strip():
            return line.strip()
    raise Failure("apt has no mirror: give one by --mirror")


def _debian(suite: str, mirror: str, report: _Report) -> Iterator[bytes]:
    mirror = mirror or apt_mirror()
    report.say(f"Building debian:{suite} from {mirror}")
    if shutil.which("mmdebstrap"):
        command = ["mmdebstrap", "--quiet", "--mode=auto", "--variant=minbase", "--format=tar"]
        command += [suite, "-", mirror]
        return _piped(command, report)
    if shutil.which("debootstrap"):
        return _debootstrap(suite, mirror)
    raise Failure("neither mmdebstrap nor debootstrap is installed: apt-get install mmdebstrap")


def _piped(command: list[str], report: _Report) -> Iterator[bytes]:
    """The standard output of a program; its failure ends the import before the archive is whole."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        total = 0
        while data := process.stdout.read(1 << 18):
            total += len(data)
            yield data
        problem = process.stderr.read().decode("utf-8", "replace").strip().splitlines()
        if process.wait():
            raise Failure(f"{command[0]} failed: " + "; ".join(problem[-3:]))
        report.say(f"Packed {total // 1_000_000} MB")


def _debootstrap(suite: str, mirror: str) -> Iterator[bytes]:
    with tempfile.TemporaryDirectory(prefix="pier-bootstrap-") as directory:
        root = os.path.join(directory, "root")
        _run(["debootstrap", "--variant=minbase", suite, root, mirror], "debootstrap")
        shutil.rmtree(os.path.join(root, "var/cache/apt/archives"), ignore_errors=True)
        yield from pack(root, ".", follow=False, keep_owner=True)


DEFINITIONS = {"image bootstrap": Definition("[OPTIONS] busybox|debian[:SUITE]", run, flags=FLAGS, least=1, most=1)}
