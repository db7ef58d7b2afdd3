"""`pier-runtime`: the OCI runtime command line, interchangeable with runc and crun."""

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pier.kernel import process
from pier.runtime import commands
from pier.spec.errors import PierError
from pier.spec.runtime_config import OCI_VERSION

_VERSION = f"pier-runtime version 0.1.0\nspec: {OCI_VERSION}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; failures go to standard error and to the log in runc's form."""
    given = _parser().parse_args(arguments)
    process.set_subreaper()  # so that `run` and `exec` can wait for what they start
    try:
        code: int = given.act(given)
    except (PierError, OSError, TimeoutError, json.JSONDecodeError) as error:
        return _fail(given, _plain(str(error)))
    return code


def _plain(message: str) -> str:
    """A message without what Docker puts around a runtime's words: whoever called puts its own."""
    for before in ("failed to create shim task: OCI runtime create failed: ", "OCI runtime exec failed: "):
        if message.startswith(before):
            return message.removeprefix(before).removesuffix(": unknown")
    return message


def _fail(given: argparse.Namespace, message: str) -> int:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if given.log_format == "json":
        line = json.dumps({"level": "error", "msg": message, "time": now})
    else:
        line = f'time="{now}" level=error msg={json.dumps(message)}'
    if given.log:
        with open(given.log, "a") as log:
            log.write(line + "\n")
    print(line if given.log_format == "text" else message, file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pier-runtime", description="run OCI containers")
    parser.add_argument("--root", type=Path, default=Path("/run/pier-runtime"), help="directory of the state")
    parser.add_argument("--log", help="file that errors are written to")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--debug", action="store_true", help="accepted for other runtimes' callers; says nothing more")
    parser.add_argument("--version", "-v", action="version", version=_VERSION)
    words = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, act, more in (
        ("create", commands.create, _creating),
        ("run", commands.run, _running),
        ("start", commands.start, None),
        ("state", commands.state, None),
        ("kill", commands.kill, _killing),
        ("delete", commands.delete, _deleting),
        ("exec", commands.exec_, _executing),
        ("pause", commands.pause, None),
        ("resume", commands.resume, None),
        ("ps", commands.ps, _ps),
        ("update", commands.update, _updating),
    ):
        command = words.add_parser(name, help=(act.__doc__ or "").rstrip("."))
        command.add_argument("id")
        command.set_defaults(act=act)
        if more:
            more(command)
    _without_id(words)
    return parser


def _without_id(words: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    listing = words.add_parser("list", help="List the containers")
    listing.add_argument("--format", "-f", choices=("table", "json"), default="table")
    listing.add_argument("--quiet", "-q", action="store_true")
    listing.set_defaults(act=commands.list_)
    writing = words.add_parser("spec", help="Write a config.json to begin with")
    writing.add_argument("--bundle", "-b", type=_directory, default=Path.cwd())
    writing.set_defaults(act=commands.spec)
    words.add_parser("features", help="Print what the runtime can do").set_defaults(act=commands.features)


def _creating(command: argparse.ArgumentParser) -> None:
    command.add_argument("--bundle", "-b", type=_directory, default=Path.cwd(), help="directory of config.json")
    command.add_argument("--console-socket", type=Path, help="socket that receives the terminal")
    command.add_argument("--pid-file", type=Path, help="file that the process's number is written to")
    command.add_argument("--no-pivot", action="store_true", help=argparse.SUPPRESS)
    command.add_argument("--no-new-keyring", action="store_true", help=argparse.SUPPRESS)


def _running(command: argparse.ArgumentParser) -> None:
    _creating(command)
    command.add_argument("--detach", "-d", action="store_true", help="do not wait for the end")
    command.add_argument("--keep", action="store_true", help="keep the container after its end")


def _killing(command: argparse.ArgumentParser) -> None:
    command.add_argument("signal", nargs="?", default="SIGTERM")
    command.add_argument("--all", "-a", action="store_true", help="signal every process")


def _deleting(command: argparse.ArgumentParser) -> None:
    command.add_argument("--force", "-f", action="store_true", help="kill it first")


def _executing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--process", "-p", type=Path, help="file with the process object")
    command.add_argument("--console-socket", type=Path)
    command.add_argument("--pid-file", type=Path)
    command.add_argument("--detach", "-d", action="store_true")
    command.add_argument("--tty", "-t", action="store_true")
    command.add_argument("--env", "-e", action="append", default=[])
    command.add_argument("--user", "-u")
    command.add_argument("--cwd")
    command.add_argument("command", nargs=argparse.REMAINDER)


def _ps(command: argparse.ArgumentParser) -> None:
    command.add_argument("--format", "-f", choices=("table", "json"), default="table")
    command.add_argument("options", nargs=argparse.REMAINDER)


def _updating(command: argparse.ArgumentParser) -> None:
    command.add_argument("--resources", "-r", type=Path, required=True, help="file with OCI resources, - for input")


def _directory(text: str) -> Path:
    return Path(text).resolve()


if __name__ == "__main__":
    sys.exit(main())
