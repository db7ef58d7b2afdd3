"""The flags of `pier-runtime`: runc's names, counts and refusals, as tables. Others are refused by name."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

from pier.runtime import commands, reports, updating
from pier.spec.oci_version import OCI_VERSION

_VERSION = f"pier-runtime version 0.1.0\nspec: {OCI_VERSION}"
# Flags of runc's that this runtime does not have, and why.
REFUSED = {
    "--criu": "checkpoints are not supported",
    "--systemd-cgroup": "control groups are made by cgroupfs only",
    "--no-pivot": "a root file system is always entered by pivot_root",
    "--no-subreaper": "the command line waits for processes that it does not start itself",
    "--process-label": "SELinux is not supported",
    "--cgroup": "a process joins the container's own control group only",
    "--l3-cache-schema": "Intel RDT is not supported",
    "--mem-bw-schema": "Intel RDT is not supported",
    "checkpoint": "checkpoints are not supported",
    "restore": "checkpoints are not supported",
}


# Imported when they are used: the launcher's event loop and decoder would cost the other commands 150 ms.


def _create(arguments: argparse.Namespace) -> int:
    """Make a container, up to the point where its program would start."""
    from pier.runtime import making

    return making.create(arguments)


def _run(arguments: argparse.Namespace) -> int:
    """Create and start; wait for the end unless detached."""
    from pier.runtime import making

    return making.run(arguments)


def _exec(arguments: argparse.Namespace) -> int:
    """Run one more process in a container."""
    from pier.runtime import making

    return making.exec_(arguments)


class Usage(Exception):
    """What was typed is no command: `message` for the log (or none), `help` for standard output."""

    def __init__(self, message: str, code: int = 1, help_: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.help = message, code, help_
        self.given = argparse.Namespace(log="", log_format="text", debug=False)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Usage(message, 1, self.format_usage().rstrip())


class _Command(NamedTuple):
    """A command: its act, how many words it takes after its flags, its flags, and whether a program's words follow."""

    act: Callable[[argparse.Namespace], int]
    least: int
    most: int | None
    flags: Callable[[argparse.ArgumentParser], None] | None = None
    program: bool = False


def parse(words: Sequence[str]) -> argparse.Namespace:
    """The command and its arguments. Raises Usage."""
    top, rest = _globals().parse_known_args(list(words))
    if top.log_format not in ("text", "json"):
        wrong, top.log_format = top.log_format, "text"
        raise _with(top, Usage(f"invalid log-format: {wrong}"))
    try:
        _refuse(rest)
    except Usage as usage:
        raise _with(top, usage) from None
    command, *left = top.words or [""]
    try:
        return _command(command, left, top)
    except Usage as usage:
        raise _with(top, usage) from None


def _with(given: argparse.Namespace, usage: Usage) -> Usage:
    usage.given = given
    return usage


def _command(name: str, words: list[str], top: argparse.Namespace) -> argparse.Namespace:
    if name.startswith("-") or name == "help" or not name:
        _refuse([name])
        raise Usage("", 0, _overview())
    if name in REFUSED:
        raise Usage(f'"{name}" is not supported by this runtime: {REFUSED[name]}')
    if name not in COMMANDS:
        raise Usage(f"No help topic for '{name}'", 3)
    command = COMMANDS[name]
    parser = _Parser(prog=f"pier-runtime {name}", description=command.act.__doc__, allow_abbrev=False, add_help=False)
    parser.add_argument("--help", "-h", action="store_true", help="show help")
    if command.flags:
        command.flags(parser)
    parser.add_argument("words", nargs=argparse.REMAINDER if command.program else "*", metavar="container-id")
    given, unknown = (
        parser.parse_known_intermixed_args(words) if not command.program else parser.parse_known_args(words)
    )
    if given.help:
        raise Usage("", 0, parser.format_help())
    _refuse([*unknown, *(given.words[:1] if command.program else [])])
    _count(name, command, given, parser)
    if command.most != 0:
        given.id, given.rest = given.words[0], given.words[1:]
    return argparse.Namespace(**vars(given), **{key: vars(top)[key] for key in _GLOBAL}, command=name, act=command.act)


_GLOBAL = ("root", "log", "log_format", "debug")


def _refuse(words: list[str]) -> None:
    for word in words:
        flag = word.partition("=")[0]
        if flag in REFUSED:
            raise Usage(f"{flag} is not supported by this runtime: {REFUSED[flag]}")
        if flag.startswith("-"):
            raise Usage(
                f"flag provided but not defined: -{flag.lstrip('-')}",
                1,
                f"Incorrect Usage: flag provided but not defined: -{flag.lstrip('-')}",
            )


def _count(name: str, command: _Command, given: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    count = len(given.words)
    if count < command.least or (command.most is not None and count > command.most):
        how = f"exactly {command.least}" if command.most == command.least else f"a minimum of {command.least}"
        if command.most is not None and count > command.most > command.least:
            how = f"a maximum of {command.most}"
        raise Usage(
            f'pier-runtime: "{name}" requires {how} argument(s)', 1, "Incorrect Usage.\n\n" + parser.format_help()
        )


def _globals() -> argparse.ArgumentParser:
    parser = _Parser(prog="pier-runtime", allow_abbrev=False, add_help=False)
    parser.add_argument("--root", type=Path, default=Path("/run/pier-runtime"), help="directory of the state")
    parser.add_argument("--log", default="", help="file that errors are written to")
    parser.add_argument("--log-format", default="text", help="text or json")
    parser.add_argument("--rootless", choices=("auto", "false"), default="auto", help="auto or false: root runs it")
    parser.add_argument("--debug", action="store_true", help="log what is done")
    parser.add_argument("--version", "-v", action="version", version=_VERSION)
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="command")
    return parser


def _overview() -> str:
    lines = [
        f"   {name:10}{(command.act.__doc__ or '').splitlines()[0].rstrip('.')}" for name, command in COMMANDS.items()
    ]
    return _globals().format_help() + "\ncommands:\n" + "\n".join(lines)


def _creating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", "-b", type=_directory, default=Path.cwd(), help="directory of config.json")
    _starting(parser)
    parser.add_argument("--no-new-keyring", action="store_true", help="stay in the caller's session keyring")


def _starting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--console-socket", type=Path, help="socket that receives the terminal")
    parser.add_argument("--pid-file", type=Path, help="file that the process's number is written to")
    parser.add_argument("--preserve-fds", type=int, default=0, help="pass so many descriptors above 2")


def _running(parser: argparse.ArgumentParser) -> None:
    _creating(parser)
    parser.add_argument("--detach", "-d", action="store_true", help="do not wait for the end")
    parser.add_argument("--keep", action="store_true", help="keep the container after its end")


def _killing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", "-a", action="store_true", help="signal every process")


def _deleting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", "-f", action="store_true", help="kill it first")


def _executing(parser: argparse.ArgumentParser) -> None:
    _starting(parser)
    parser.add_argument("--process", "-p", type=Path, help="file with the process object")
    parser.add_argument("--detach", "-d", action="store_true", help="do not wait for the end")
    parser.add_argument("--tty", "-t", action="store_true", help="give it a terminal")
    parser.add_argument("--env", "-e", action="append", default=[], help="one more variable")
    parser.add_argument("--user", "-u", help="UID or UID:GID")
    parser.add_argument("--additional-gids", "-g", type=int, action="append", default=[], help="one more group")
    parser.add_argument("--cap", "-c", action="append", default=[], help="one more capability")
    parser.add_argument("--no-new-privs", action="store_true", help="set no_new_privs")
    parser.add_argument("--apparmor", help="AppArmor profile")
    parser.add_argument("--ignore-paused", action="store_true", help="also in a paused container")
    parser.add_argument("--cwd", help="working directory")


def _formatted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", "-f", default="table", help="table or json")


def _listing(parser: argparse.ArgumentParser) -> None:
    _formatted(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="names only")


def _events(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--interval", default="5s", help="time between two looks")
    parser.add_argument("--stats", action="store_true", help="look once")


def _updating(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--resources", "-r", type=Path, help="file with OCI resources, - for input; other flags fall away"
    )
    for flag in updating.LIMITS:
        parser.add_argument(f"--{flag}", help=f"{flag.replace('-', ' ')}")


def _bundled(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", "-b", type=_directory, default=Path.cwd(), help="directory to write to")


def _directory(text: str) -> Path:
    return Path(text).resolve()


COMMANDS = {
    "create": _Command(_create, 1, 1, _creating),
    "start": _Command(commands.start, 1, 1),
    "run": _Command(_run, 1, 1, _running),
    "state": _Command(reports.state, 1, 1),
    "kill": _Command(commands.kill, 1, 2, _killing),
    "delete": _Command(commands.delete, 1, 1, _deleting),
    "exec": _Command(_exec, 1, None, _executing, program=True),
    "list": _Command(reports.list_, 0, 0, _listing),
    "ps": _Command(reports.ps, 1, None, _formatted, program=True),
    "events": _Command(reports.events, 1, 1, _events),
    "update": _Command(updating.update, 1, 1, _updating),
    "pause": _Command(commands.pause, 1, 1),
    "resume": _Command(commands.resume, 1, 1),
    "spec": _Command(reports.spec, 0, 0, _bundled),
    "features": _Command(reports.features, 0, 0),
}
