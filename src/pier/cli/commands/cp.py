"""`pier cp`: files between a container and this machine.

What lands where follows Docker's rules: a directory is copied into an existing directory, its contents when the source
ends with `/.`; a file keeps its name in a directory and takes the destination's name otherwise.
"""

from __future__ import annotations

import base64
import json
import os
import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path as container_path
from pier.cli.failure import Failure
from pier.cli.output.units import human_size
from pier.client.errors import ConnectionFailed
from pier.spec.errors import NotFound, PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-a, --archive       Archive mode (copy all uid/gid information)
-L, --follow-link   Always follow symbol link in SRC_PATH
-q, --quiet         Suppress progress output during copy. Progress output is automatically suppressed if no terminal
            is attached
"""
LONG = """Use '-' as the source to read a tar archive from stdin
and extract it to a directory destination in a container.
Use '-' as the destination to stream a tar archive of a
container source to stdout."""
DIRECTORY = 1 << 31
SYMLINK = 1 << 27


def split(argument: str) -> tuple[str, str]:
    """Container and path; no container for a path of this machine."""
    if argument.startswith(("/", "./", "../")) or argument == "-":
        return "", argument
    container, colon, path = argument.partition(":")
    return (container, path) if colon and "/" not in container else ("", argument)


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Into a container, or out of one."""
    (source_container, source), (target_container, target) = (split(argument) for argument in arguments)
    if not source:
        raise Failure("source can not be empty")
    if not target:
        raise Failure("destination can not be empty")
    if source_container and target_container:
        raise Failure("copying between containers is not supported")
    if not source_container and not target_container:
        raise Failure("must specify at least one container source")
    if source_container:
        _out(cli, flags, source_container, source, target)
    else:
        _in(cli, flags, source, target_container, target)


def _stat(cli: Cli, container: str, path: str) -> dict[str, Any] | None:
    try:
        response = cli.client.open("HEAD", container_path(container, "archive"), {"path": path})
    except NotFound:
        return None
    return _decoded(response.headers)


def _decoded(headers: dict[str, str]) -> dict[str, Any]:
    return dict(json.loads(base64.b64decode(headers["x-docker-container-path-stat"])))


def _is_directory(status: dict[str, Any] | None) -> bool:
    return status is not None and bool(status["mode"] & DIRECTORY)


def _absolute(path: str) -> str:
    """A container's path from its root, with what its ending says kept."""
    ending = "/." if path.endswith("/.") or path == "." else "/" if path.endswith("/") else ""
    clean = os.path.normpath("/" + path)
    clean = "/" + clean.lstrip("/")
    return clean + ending if clean != "/" else clean


def _resolved(cli: Cli, container: str, path: str) -> tuple[str, dict[str, Any] | None]:
    """The path behind a symbolic link, and what is there."""
    status = _stat(cli, container, path)
    if status is not None and status["mode"] & SYMLINK and status.get("linkTarget"):
        link = str(status["linkTarget"])
        path = link if link.startswith("/") else os.path.normpath(os.path.join(os.path.dirname(path), link))
        status = _stat(cli, container, path)
    return path, status


def _out(cli: Cli, flags: Parsed, container: str, source: str, target: str) -> None:
    source = _absolute(source)
    if flags.on("follow-link"):
        ending = source[len(source.rstrip("/.")) :] if source.endswith("/.") else ""
        source = _resolved(cli, container, source.removesuffix("/."))[0] + ending
    if target != "-":
        _check_parent(target)
    response = cli.client.open("GET", container_path(container, "archive"), {"path": source})
    if target == "-":
        from pier.cli.commands.archives import copy

        if sys.stdout.isatty():
            raise Failure("cowardly refusing to copy to a terminal")
        copy(response.chunks(), 1)
        return
    from pier.cli import unpacking

    status = _decoded(response.headers)
    directory, name = _local_target(source, status, target)
    counter = _Counter(response.chunks())
    unpacking.unpack(
        counter, directory, os.path.basename(source.rstrip("/.")) or "/", name, keep_owner=flags.on("archive")
    )
    _tell(cli, flags, counter.total, target)


def _check_parent(target: str) -> None:
    parent = os.path.dirname(target.rstrip("/")) or "."
    if not os.path.isdir(parent):
        raise Failure(f'invalid output path: directory "{parent}" does not exist')


def _local_target(source: str, status: dict[str, Any], target: str) -> tuple[str, str]:
    """The directory to unpack in, and the new name of the first component (empty for its contents)."""
    contents = source.endswith("/.")
    name = str(status["name"]).strip("/")
    if os.path.isdir(target):
        return target, "" if contents and _is_directory(status) else name
    if _is_directory(status):
        if os.path.exists(target):
            raise Failure("cannot copy directory")
    elif target.endswith("/"):
        raise Failure("no such directory")
    parent, _, last = target.rstrip("/").rpartition("/")
    return parent or ("/" if target.startswith("/") else "."), last


def _in(cli: Cli, flags: Parsed, source: str, container: str, target: str) -> None:
    target = _absolute(target)
    try:
        resolved, status = _resolved(cli, container, target)
    except ConnectionFailed:
        raise
    except PierError:  # the copy itself tells what is wrong, in words: HEAD has no body
        resolved, status = target, None
    query: dict[str, str | list[str]] = {"path": resolved, "noOverwriteDirNonDir": "true"}
    if flags.on("archive"):
        query["copyUIDGID"] = "true"
    if source == "-":
        from pier.cli.commands.archives import pieces

        if not _is_directory(status):
            raise Failure(f'destination "{container}:{target}" must be a directory')
        body: Iterable[bytes] = pieces(0)
    else:
        query["path"], body = _packed(flags, source, resolved, target, status)
    counter = _Counter(body)
    headers = {"Content-Type": "application/x-tar"}
    cli.client.open("PUT", container_path(container, "archive"), query, counter, headers).read()
    _tell(cli, flags, counter.total, f"{container}:{target}")


def _packed(
    flags: Parsed, source: str, resolved: str, target: str, status: dict[str, Any] | None
) -> tuple[str, Iterator[bytes]]:
    """The directory in the container, and the archive to unpack there."""
    from pier.cli import packing

    try:
        is_directory = os.path.isdir(source)
        if not flags.on("follow-link") and os.path.islink(source.rstrip("/")) and not source.endswith(("/", "/.")):
            is_directory = False
        os.lstat(source)
    except OSError as error:
        raise Failure(f"lstat {os.path.abspath(source)}: {(error.strerror or '').lower()}") from None
    contents = source.endswith("/.") or source == "."
    name = os.path.basename(os.path.abspath(source))
    if _is_directory(status):
        directory, inner = resolved, "." if contents and is_directory else name
    else:
        if is_directory and status is not None:
            raise Failure("cannot copy directory")
        if target.endswith("/") and not is_directory:
            raise Failure("no such directory")
        directory, _, inner = resolved.rstrip("/").rpartition("/")
    keep = flags.on("archive")
    return directory or "/", packing.pack(source, inner, follow=flags.on("follow-link"), keep_owner=keep)


class _Counter:
    """Passes pieces on and counts their bytes."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces
        self.total = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces:
            self.total += len(piece)
            yield piece


def _tell(cli: Cli, flags: Parsed, total: int, target: str) -> None:
    if not flags.on("quiet") and sys.stderr.isatty():
        cli.error(f"Successfully copied {human_size(total, 3)} to {target}")


DEFINITIONS = {
    "container cp": Definition(
        "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-\n[OPTIONS] SRC_PATH|- CONTAINER:DEST_PATH",
        run,
        flags=FLAGS,
        least=2,
        most=2,
        long=LONG,
    )
}
