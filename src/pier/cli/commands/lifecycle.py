"""The commands that do one thing to containers: stop, kill, restart, rm, pause, unpause, wait, rename."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.spec.errors import NotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

SIGNAL_FLAG = "-s, --signal string   Signal to send to the container"
STOP_FLAGS = f"""
{SIGNAL_FLAG}
-t, --timeout int     Seconds to wait before killing the container
!--time int           Seconds to wait before killing the container (deprecated: use --timeout)
"""
RM_FLAGS = """
-f, --force     Force the removal of a running container (uses SIGKILL)
-l, --link      Remove the specified link
-v, --volumes   Remove anonymous volumes associated with the container
"""


def path(name: str, action: str = "") -> str:
    """The URL of a container, or of an action on it."""
    from pier.client.http import quote  # lazily: with the client

    encoded = quote(name.removeprefix("/") or name).replace("/", "%2F")
    return f"/containers/{encoded}" + (f"/{action}" if action else "")


def _stop(cli: Cli, flags: Parsed, arguments: list[str], action: str) -> int:
    query: dict[str, str | list[str]] = {}
    if flags.text("signal"):
        query["signal"] = flags.text("signal")
    for name in ("time", "timeout"):
        if flags.changed(name):
            query["t"] = str(flags.number(name))
    return cli.each(arguments, lambda name: cli.client.post(path(name, action), query))


def stop(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Stop, with a signal and a time to wait."""
    return _stop(cli, flags, arguments, "stop")


def restart(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Stop and start again."""
    return _stop(cli, flags, arguments, "restart")


def kill(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Send a signal."""
    signal = flags.text("signal")
    query: dict[str, str | list[str]] = {"signal": signal} if signal else {}
    return cli.each(arguments, lambda name: cli.client.post(path(name, "kill"), query))


def pause(cli: Cli, _flags: Parsed, arguments: list[str]) -> int:
    """Freeze."""
    return cli.each(arguments, lambda name: cli.client.post(path(name, "pause")))


def unpause(cli: Cli, _flags: Parsed, arguments: list[str]) -> int:
    """Thaw."""
    return cli.each(arguments, lambda name: cli.client.post(path(name, "unpause")))


def remove(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Remove; with --force a container that is not there is no failure."""
    names = {"force": "force", "volumes": "v", "link": "link"}
    query: dict[str, str | list[str]] = {key: "1" for name, key in names.items() if flags.on(name)}
    failed = 0
    for name in arguments:
        try:
            failed |= cli.each([name], lambda one: _remove(cli, one, query, force=flags.on("force")))
        except _Missing as missing:
            cli.error(missing.message)
    return failed


class _Missing(Exception):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def _remove(cli: Cli, name: str, query: dict[str, str | list[str]], *, force: bool) -> None:
    try:
        cli.client.delete(path(name), query)
    except NotFound as error:
        if not force:
            raise
        from pier.cli.report import describe  # lazily: errors are rare

        raise _Missing(describe(error)) from None


def wait(cli: Cli, _flags: Parsed, arguments: list[str]) -> int:
    """Wait for each in turn and print its exit code."""
    return cli.each(arguments, lambda name: cli.out(str(wait_for(cli, name))), echo=False)


def wait_for(cli: Cli, name: str) -> int:
    """The exit code of a container, when it has one."""
    return int(cli.client.post(path(name, "wait"), {"condition": "not-running"})["StatusCode"])


def rename(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """Give a container another name."""
    old, new = (argument.strip() for argument in arguments)
    if not old or not new:
        raise Failure("Error: Neither old nor new names may be empty")
    if cli.each([old], lambda name: cli.client.post(path(name, "rename"), {"name": new}), echo=False):
        raise Failure(f"Error: failed to rename container named {old}")


MANY = "CONTAINER [CONTAINER...]"
DEFINITIONS = {
    "container stop": Definition(f"[OPTIONS] {MANY}", stop, flags=STOP_FLAGS, least=1),
    "container restart": Definition(f"[OPTIONS] {MANY}", restart, flags=STOP_FLAGS, least=1),
    "container kill": Definition(f"[OPTIONS] {MANY}", kill, flags=SIGNAL_FLAG, least=1),
    "container rm": Definition(f"[OPTIONS] {MANY}", remove, flags=RM_FLAGS, least=1),
    "container pause": Definition(MANY, pause, least=1),
    "container unpause": Definition(MANY, unpause, least=1),
    "container wait": Definition(MANY, wait, least=1),
    "container rename": Definition("CONTAINER NEW_NAME", rename, least=2, most=2),
}
