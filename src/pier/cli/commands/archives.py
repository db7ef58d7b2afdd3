"""`pier import`, `load`, `save` and `export`'s common part: archives in and out of the daemon."""

from __future__ import annotations

import os
import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.rmi import platform_document
from pier.cli.failure import Failure
from pier.cli.output import references
from pier.cli.output.progress import Display

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pier.cli.flags import Parsed

IMPORT_FLAGS = """
-c, --change list       Apply Dockerfile instruction to the created image
-m, --message string    Set commit message for imported image
    --platform string   Set platform if server is multi-platform capable
"""
LOAD_FLAGS = """
-i, --input string      Read from tar archive file, instead of STDIN
    --platform string   Load only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
-q, --quiet             Suppress the load output
"""
SAVE_FLAGS = """
-o, --output string     Write to a file, instead of STDOUT
    --platform string   Save only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g., "linux/amd64")
    --since string      Leave out the layers of this image: what loads the archive has to have them
"""
PIECE = 1 << 18


def pieces(descriptor: int) -> Iterator[bytes]:
    """What a descriptor gives, until it ends."""
    while data := os.read(descriptor, PIECE):
        yield data


def read_file(path: str) -> Iterator[bytes]:
    """The contents of a file; a missing one is told in Go's words."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise Failure(f"open {path}: {(error.strerror or str(error)).lower()}") from None
    return _closing(descriptor)


def _closing(descriptor: int) -> Iterator[bytes]:
    try:
        yield from pieces(descriptor)
    finally:
        os.close(descriptor)


def import_(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """A file, stdin, or an address that the daemon fetches."""
    source = arguments[0]
    query: dict[str, str | list[str]] = {"fromSrc": "-"}
    body: Iterable[bytes] | None = None
    if source == "-":
        body = pieces(0)
    elif source.startswith(("http://", "https://", "ftp://")):
        query["fromSrc"] = source
    else:
        body = read_file(source)
    if len(arguments) > 1:
        query["repo"], query["tag"] = references.split(arguments[1])
    send_import(cli, query, body, flags)


def send_import(cli: Cli, query: dict[str, str | list[str]], body: Iterable[bytes] | None, flags: Parsed) -> None:
    """Stream an archive into an import and show what the daemon says."""
    if flags.text("message"):
        query["message"] = flags.text("message")
    if flags.text("platform"):
        query["platform"] = flags.text("platform").lower()
    if flags.many("change"):
        query["changes"] = flags.many("change")
    response = cli.client.open("POST", "/images/create", query, body)
    Display(sys.stdout).show(response.lines())


def load(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """Images of an archive."""
    source = flags.text("input")
    if not source and sys.stdin.isatty():
        raise Failure("requested load from stdin, but stdin is empty")
    query: dict[str, str | list[str]] = {"quiet": "1" if flags.on("quiet") or not sys.stdout.isatty() else "0"}
    if flags.text("platform"):
        query["platform"] = platform_document(flags.text("platform"))
    body = read_file(source) if source else pieces(0)
    response = cli.client.open("POST", "/images/load", query, body, {"Content-Type": "application/x-tar"})
    if response.headers.get("content-type", "").startswith("application/json"):
        Display(sys.stdout).show(response.lines())
    else:
        copy(response.chunks(), 1)


def save(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Images to an archive."""
    query: dict[str, str | list[str]] = {"names": arguments}
    url = "/images/get"
    if flags.text("platform"):
        query["platform"] = platform_document(flags.text("platform"))
    if flags.text("since"):
        if flags.text("platform"):
            raise Failure("conflicting options: cannot specify both --since and --platform")
        query["since"], url = flags.text("since"), "/pier/v1/images/get"
    output(cli, flags.text("output"), url, query, "save")


def output(cli: Cli, path: str, url: str, query: dict[str, str | list[str]], word: str) -> None:
    """A download to a file, which appears when it is whole, or to stdout, which must not be a terminal."""
    if not path:
        if sys.stdout.isatty():
            raise Failure("cowardly refusing to save to a terminal. Use the -o flag or redirect")
        copy(cli.client.open("GET", url, query).chunks(), 1)
        return
    directory = os.path.dirname(path) or "."
    kind = f"failed to {word} {'image' if word == 'save' else 'container'}"
    if not os.path.isdir(directory):
        raise Failure(f'{kind}: invalid output path: directory "{directory}" does not exist')
    if os.path.isdir(path):
        raise Failure(f'{kind}: invalid output path: "{path}" must be a regular file')
    response = cli.client.open("GET", url, query)
    temporary = os.path.join(directory, f".tmp-{os.path.basename(path)}{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        copy(response.chunks(), descriptor)
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    finally:
        os.close(descriptor)


def copy(chunks: Iterable[bytes], descriptor: int) -> None:
    """All pieces to a descriptor."""
    from pier.cli.streaming import write_all

    for chunk in chunks:
        write_all(descriptor, chunk)


DEFINITIONS = {
    "image import": Definition("[OPTIONS] file|URL|- [REPOSITORY[:TAG]]", import_, flags=IMPORT_FLAGS, least=1),
    "image load": Definition("[OPTIONS]", load, flags=LOAD_FLAGS, most=0),
    "image save": Definition("[OPTIONS] IMAGE [IMAGE...]", save, flags=SAVE_FLAGS, least=1),
}
