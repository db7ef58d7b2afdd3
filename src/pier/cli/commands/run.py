"""`pier run` and `pier create`: flags to a body, an image that is pulled when it is missing, and the foreground."""

from __future__ import annotations

import os
import sys

from pier.cli.command import Cli, Definition
from pier.cli.create import table
from pier.cli.create.body import create_body, refuse_windows
from pier.cli.create.types import TYPES
from pier.cli.failure import Failure
from pier.cli.report import describe
from pier.spec.errors import NotFound, PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

NOT_FOUND = ("executable file not found", "no such file or directory", "system cannot find the file specified")
PLAIN = "abcdefghijklmnopqrstuvwxyz0123456789._-/:@"
NOT_EXECUTABLE = ("permission denied", "is a directory")


def start_code(message: str) -> int:
    """The exit code for a container that did not start: 127, 126, or 125."""
    if any(words in message for words in NOT_FOUND):
        return 127
    return 126 if any(words in message for words in NOT_EXECUTABLE) else 125


class _CidFile:
    """`--cidfile`: made before the container, written after, and removed again when there is no container."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.written = False
        if path and os.path.exists(path):
            raise Failure("container ID file found, make sure the other container isn't running or delete " + path)
        if path:
            self._put("")

    def _put(self, text: str) -> None:
        try:
            with open(self.path, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise Failure(f"failed to create the container ID file: open {self.path}: {reason}") from None

    def write(self, identity: str) -> None:
        """Keep the file, with the id in it."""
        self.written = True
        if self.path:
            self._put(identity)

    def close(self) -> None:
        """Remove a file that got no id."""
        if self.path and not self.written:
            os.unlink(self.path)


def make(cli: Cli, flags: Parsed, arguments: list[str], body: dict[str, Any]) -> str:
    """Create the container, pulling its image as `--pull` says, and return its id."""
    query: dict[str, str | list[str]] = {}
    if flags.text("name"):
        query["name"] = flags.text("name")
    if flags.text("platform"):
        query["platform"] = flags.text("platform")
    cidfile = _CidFile(flags.text("cidfile"))
    try:
        answer = _create(cli, flags, arguments[0], query, body)
        for warning in answer.get("Warnings") or []:
            cli.error(f"WARNING: {warning}")
        cidfile.write(answer["Id"])
    finally:
        cidfile.close()
    return str(answer["Id"])


def _create(
    cli: Cli, flags: Parsed, image: str, query: dict[str, str | list[str]], body: dict[str, Any]
) -> dict[str, Any]:
    pull = flags.text("pull", "missing")
    if pull == "always":
        _pull(cli, flags, image)
    try:
        return dict(cli.client.post("/containers/create", query, body))
    except NotFound as error:
        if pull != "missing" or not _is_image_missing(error.message):
            raise
        if not flags.on("quiet"):
            cli.error(f"Unable to find image '{_with_tag(image)}' locally")
    _pull(cli, flags, image)
    return dict(cli.client.post("/containers/create", query, body))


def _is_image_missing(message: str) -> bool:
    return "no such image" in message.lower() or "does not match the specified platform" in message


def _with_tag(image: str) -> str:
    return image if "@" in image or ":" in image.rpartition("/")[2] else f"{image}:latest"


def _pull(cli: Cli, flags: Parsed, image: str) -> None:
    from pier.cli.commands.pull import pull_image  # lazily: the image is nearly always there

    pull_image(cli, image, platform=flags.text("platform"), quiet=flags.on("quiet"), stream=sys.stderr)


def _body(cli: Cli, flags: Parsed, arguments: list[str]) -> dict[str, Any]:
    if not arguments[0] or arguments[0].strip(PLAIN):
        from pier.spec.references import parse  # lazily: only for names that look wrong

        parse(arguments[0])
    body = create_body(flags, arguments, mac_in_endpoint=cli.client.at_least("1.44"))
    if flags.on("tty") and sys.stdout.isatty():
        from pier.cli.terminal import size  # lazily: only for terminals

        body["HostConfig"]["ConsoleSize"] = list(size())
    proxies = _proxies(cli)
    if proxies:
        names = {line.partition("=")[0] for line in body.get("Env", [])}
        body["Env"] = body.get("Env", []) + [f"{key}={value}" for key, value in proxies if key not in names]
    return body


def _proxies(cli: Cli) -> list[tuple[str, str]]:
    """The proxies of config.json, for this daemon or for all."""
    proxies = cli.configuration.get("proxies")
    if not isinstance(proxies, dict):
        return []
    chosen = proxies.get(cli.client.address.text) or proxies.get("default") or {}
    names = {"httpProxy": "HTTP_PROXY", "httpsProxy": "HTTPS_PROXY", "noProxy": "NO_PROXY", "ftpProxy": "FTP_PROXY"}
    names["allProxy"] = "ALL_PROXY"
    found = [(name, str(chosen[key])) for key, name in names.items() if chosen.get(key)]
    return [pair for name, value in found for pair in ((name, value), (name.lower(), value))]


def _explained(cli: Cli, message: str, code: int) -> Failure:
    word = cli.command.rpartition(" ")[2]
    hint = f"Run '{cli.program} {word} --help' for more information"
    return Failure(f"{cli.program}: {message}\n\n{hint}", code)


def create(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Create a container and print its id."""
    refuse_windows(flags)
    try:
        body = _body(cli, flags, arguments)
    except Failure as failure:
        raise _explained(cli, failure.message, 125) from None
    cli.out(make(cli, flags, arguments, body))


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Create and start a container; stay with it unless `--detach`."""
    refuse_windows(flags)
    try:
        body = _body(cli, flags, arguments)
    except Failure as failure:
        raise _explained(cli, failure.message, 125) from None
    except PierError as error:
        raise _explained(cli, describe(error), 125) from None
    if flags.on("detach"):
        if flags.many("attach"):
            raise Failure("conflicting options: cannot specify both --attach and --detach")
        body |= dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr", "StdinOnce"), False)
    else:
        from pier.cli.foreground import check_terminal  # lazily: only for attached runs

        check_terminal(stdin=body["AttachStdin"], tty=body["Tty"])
    try:
        identity = make(cli, flags, arguments, body)
    except (PierError, Failure) as error:
        message = describe(error) if isinstance(error, PierError) else error.message
        raise _explained(cli, message, start_code(message)) from None
    if not (body["AttachStdin"] or body["AttachStdout"] or body["AttachStderr"]):
        return _in_background(cli, identity)
    return _in_foreground(cli, flags, identity, body)


def _in_background(cli: Cli, identity: str) -> int:
    cli.out(identity)
    try:
        cli.client.post(f"/containers/{identity}/start")
    except PierError as error:
        raise _explained(cli, describe(error), start_code(error.message)) from None
    return 0


def _in_foreground(cli: Cli, flags: Parsed, identity: str, body: dict[str, Any]) -> int:
    from pier.cli import foreground as front  # lazily: `run -d` needs none of it
    from pier.cli.streaming import Detached

    output = body["AttachStdout"] or body["AttachStderr"]
    keys_text, keys = front.detach_keys(cli, flags.text("detach-keys"))
    foreground = front.Foreground(
        cli.client, f"/containers/{identity}", tty=body["Tty"], proxy=flags.on("sig-proxy", True)
    )
    with foreground.caught:
        if not output:
            cli.out(identity)
        taken = front.attach(
            cli.client,
            identity,
            stdin=body["AttachStdin"],
            stdout=body["AttachStdout"],
            stderr=body["AttachStderr"],
            keys=keys_text,
        )
        waiting = front.begin_wait(cli.client, identity, "removed" if flags.on("rm") else "next-exit")
        try:
            cli.client.post(f"/containers/{identity}/start")
        except PierError as error:
            taken.socket.close()
            if flags.on("rm"):
                waiting.read()
            raise _explained(cli, describe(error), start_code(error.message)) from None
        foreground.resize()
        try:
            foreground.stream(taken, stdin=body["AttachStdin"], output=output, keys=keys)
        except Detached:
            return 0
        return foreground.exit_code(waiting) if output else 0


USAGE = "[OPTIONS] IMAGE [COMMAND] [ARG...]"
DEFINITIONS = {
    "container run": Definition(USAGE, run, flags=table.RUN, least=1, interspersed=False, types=TYPES),
    "container create": Definition(USAGE, create, flags=table.CREATE, least=1, interspersed=False, types=TYPES),
}
