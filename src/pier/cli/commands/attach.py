"""`pier attach`: this terminal on a container that runs already."""

from __future__ import annotations

from pier.cli import foreground as front
from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.failure import Failure
from pier.cli.streaming import Detached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
    --detach-keys string   Override the key sequence for detaching a container
    --no-stdin             Do not attach STDIN
    --sig-proxy            Proxy all received signals to the process (default true)
"""


def _check(state: dict[str, Any]) -> None:
    if not state.get("Running"):
        raise Failure("You cannot attach to a stopped container, start it first")
    if state.get("Paused"):
        raise Failure("You cannot attach to a paused container, unpause it first")
    if state.get("Restarting"):
        raise Failure("You cannot attach to a restarting container, wait until it is running")


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Attach until the container ends or the keys detach."""
    container = cli.client.get(path(arguments[0], "json"))
    _check(container["State"])
    config = container["Config"]
    keys_text, keys = front.detach_keys(cli, flags.text("detach-keys"))
    stdin = bool(config["OpenStdin"]) and not flags.on("no-stdin")
    tty = bool(config["Tty"])
    front.check_terminal(stdin=stdin, tty=tty)
    identity = container["Id"]
    foreground = front.Foreground(
        cli.client, f"/containers/{identity}", tty=tty, proxy=flags.on("sig-proxy", True) and not tty
    )
    with foreground.caught:
        waiting = front.begin_wait(cli.client, identity, "")
        taken = front.attach(cli.client, identity, stdin=stdin, stdout=True, stderr=True, keys=keys_text)
        foreground.resize()
        try:
            foreground.stream(taken, stdin=stdin, output=True, keys=keys)
        except Detached:
            raise Failure("read escape sequence") from None
        return foreground.exit_code(waiting)


DEFINITIONS = {"container attach": Definition("[OPTIONS] CONTAINER", run, flags=FLAGS, least=1, most=1)}
