"""`pier start`: stopped containers run again, one of them perhaps in the foreground."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure
from pier.cli.report import describe
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-a, --attach                  Attach STDOUT/STDERR and forward signals
    --checkpoint string           Restore from this checkpoint
    --checkpoint-dir string       Use a custom checkpoint storage directory
    --detach-keys string      Override the key sequence for detaching a container
-i, --interactive             Attach container's STDIN
"""


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Start each; with -a or -i exactly one, and stay with it."""
    for name in ("checkpoint", "checkpoint-dir"):
        if flags.changed(name):
            raise Failure(f"--{name} is not supported: containers cannot be checkpointed")
    if flags.on("attach") or flags.on("interactive"):
        if len(arguments) > 1:
            raise Failure("you cannot start and attach multiple containers at once")
        return _attached(cli, flags, arguments[0])
    failed = [name for name in arguments if cli.each([name], lambda one: cli.client.post(path(one, "start")))]
    if failed:
        raise Failure(f"Error: failed to start containers: {', '.join(failed)}")
    return 0


def _attached(cli: Cli, flags: Parsed, name: str) -> int:
    from pier.cli import foreground as front  # lazily: most starts have no foreground
    from pier.cli.streaming import Detached

    container: dict[str, Any] = cli.client.get(path(name, "json"))
    identity, config = container["Id"], container["Config"]
    tty = bool(config["Tty"])
    stdin = bool(config["OpenStdin"]) and flags.on("interactive")
    keys_text, keys = front.detach_keys(cli, flags.text("detach-keys"))
    front.check_terminal(stdin=stdin, tty=tty)
    foreground = front.Foreground(cli.client, f"/containers/{identity}", tty=tty, proxy=not tty)
    with foreground.caught:
        taken = front.attach(cli.client, identity, stdin=stdin, stdout=True, stderr=True, keys=keys_text)
        removed = container["HostConfig"].get("AutoRemove")
        waiting = front.begin_wait(cli.client, identity, "removed" if removed else "next-exit")
        try:
            cli.client.post(path(identity, "start"))
        except PierError as error:
            taken.socket.close()
            if removed:
                waiting.read()
            raise Failure(describe(error)) from None
        foreground.resize()
        try:
            foreground.stream(taken, stdin=stdin, output=True, keys=keys)
        except Detached:
            return 0
        return foreground.exit_code(waiting)


DEFINITIONS = {
    "container start": Definition("[OPTIONS] CONTAINER [CONTAINER...]", run, flags=FLAGS, least=1),
}
