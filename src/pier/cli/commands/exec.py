"""`pier exec`: another process in a running container."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.create.types import variable
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-d, --detach               Detached mode: run command in the background
    --detach-keys string   Override the key sequence for detaching a container
-e, --env variable         Set environment variables
    --env-file list        Read in a file of environment variables
-i, --interactive          Keep STDIN open even if not attached
    --privileged           Give extended privileges to the command
-t, --tty                  Allocate a pseudo-TTY
-u, --user string          Username or UID (format: "<name¦uid>[:<group¦gid>]")
-w, --workdir string       Working directory inside the container
"""


def _config(flags: Parsed, command: list[str], keys: str) -> dict[str, Any]:
    from pier.cli.create.environment import variables

    config: dict[str, Any] = {
        "AttachStdin": flags.on("interactive") and not flags.on("detach"),
        "AttachStdout": not flags.on("detach"),
        "AttachStderr": not flags.on("detach"),
        "Tty": flags.on("tty"),
        "Privileged": flags.on("privileged"),
        "User": flags.text("user"),
        "WorkingDir": flags.text("workdir"),
        "Cmd": command,
        "Env": variables(flags.many("env-file"), flags.many("env")),
    }
    return config | ({"DetachKeys": keys} if keys else {})


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Make the exec, start it, stay with it unless `--detach`."""
    from pier.cli import foreground as front  # lazily: `--help` needs none of it

    keys_text, keys = front.detach_keys(cli, flags.text("detach-keys"))
    config = _config(flags, arguments[1:], keys_text)
    if not flags.on("detach"):
        front.check_terminal(stdin=config["AttachStdin"], tty=config["Tty"])
    if config["Tty"]:
        from pier.cli.terminal import size

        rows, columns = size()
        if rows and columns:
            config["ConsoleSize"] = [rows, columns]
    identity = cli.client.post(path(arguments[0], "exec"), None, config)["Id"]
    if not identity:
        raise Failure("exec ID empty")
    if flags.on("detach"):
        cli.client.post(f"/exec/{identity}/start", None, {"Detach": True, "Tty": config["Tty"]})
        return 0
    return _interactive(cli, identity, config, keys)


def _interactive(cli: Cli, identity: str, config: dict[str, Any], keys: bytes) -> int:
    from pier.cli import foreground as front
    from pier.cli.streaming import Detached

    start = {"Detach": False, "Tty": config["Tty"]}
    if "ConsoleSize" in config:
        start["ConsoleSize"] = config["ConsoleSize"]
    foreground = front.Foreground(cli.client, f"/exec/{identity}", tty=config["Tty"], proxy=False)
    with foreground.caught:
        taken = cli.client.take_over(f"/exec/{identity}/start", None, start)
        foreground.resize()
        try:
            foreground.stream(taken, stdin=config["AttachStdin"], output=True, keys=keys)
        except Detached:
            raise Failure("read escape sequence") from None
    return int(cli.client.get(f"/exec/{identity}/json")["ExitCode"] or 0)


DEFINITIONS = {
    "container exec": Definition(
        "[OPTIONS] CONTAINER COMMAND [ARG...]",
        run,
        flags=FLAGS,
        least=2,
        interspersed=False,
        types={"variable": variable},
    )
}
