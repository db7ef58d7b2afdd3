"""The program `pier`: global flags, then one command, found in a table and imported only when it runs.

Exit codes are Docker's: 0, 1 for an error, 125 for flags that cannot be understood, and what commands return.
"""

from __future__ import annotations

import os
import sys

from pier.cli import table
from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure, UsageFailure
from pier.cli.flags import Flag, Parsed, Parser, read_table
from pier.spec.errors import PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

GLOBAL_FLAGS = """
    --config string
-c, --context string
-D, --debug
-H, --host list
-l, --log-level string
    --tls
    --tlscacert string
    --tlscert string
    --tlskey string
    --tlsverify
-v, --version
-h, --help
"""
TLS_PATHS = ("tlscacert", "tlscert", "tlskey")
LEVELS = ("debug", "info", "warn", "warning", "error", "fatal", "panic", "trace")


def main() -> None:
    """Entry point; leaves without the interpreter's slow tear-down."""
    code = run(sys.argv)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        code = code or 1
    os._exit(code)


def run(argv: list[str]) -> int:
    """Run the command line and return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="surrogateescape")
    program = "docker" if os.path.basename(argv[0]) == "docker" else "pier"
    try:
        return _dispatch(program, argv[1:])
    except PierError as error:
        from pier.cli.report import describe  # lazily: errors are rare

        return _fail(describe(error), 1)
    except Failure as failure:
        return _fail(failure.message, failure.code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        return _fail(str(error), 1)


def _fail(message: str, code: int) -> int:
    try:
        sys.stdout.flush()
    except OSError:
        code = code or 1
    if message:
        sys.stderr.write(message + "\n")
    return code


def _dispatch(program: str, arguments: list[str]) -> int:
    try:
        flags, words = Parser(read_table(GLOBAL_FLAGS), interspersed=False).parse(arguments)
        _check_level(flags)
    except UsageFailure as failure:
        text = f"{failure.message}\n\nUsage:  {program} [OPTIONS] COMMAND [ARG...]\n\n"
        raise Failure(f"{text}Run '{program} --help' for more information", failure.code) from None
    if flags.on("version"):
        from pier.cli.commands.version import short  # lazily: as every command

        sys.stdout.write(short(program) + "\n")
        return 0
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] == "--help" or flags.on("help"):
        if not words and not flags.on("help"):
            return _show_help(program, [], sys.stderr)
        return _show_help(program, [] if not words or words[0] == "--help" else words)
    return _run_command(_surroundings(program, flags), words)


def _check_level(flags: Parsed) -> None:
    level = flags.text("log-level", "info")
    if level.lower() not in LEVELS:
        raise Failure(f"Unable to parse logging level: {level}")


def _surroundings(program: str, flags: Parsed) -> Cli:
    if not flags.given:
        return Cli(program)
    from pier.client.contexts import Choice  # lazily: most command lines have no global flags

    choice = Choice(flags.many("host"), flags.text("context"))
    choice.tls_verify = flags.on("tlsverify")
    choice.tls = flags.on("tls") or choice.tls_verify
    choice.tls_paths = {name: flags.text(name) for name in TLS_PATHS if flags.changed(name)}
    cli = Cli(program, choice, flags.text("config"))
    cli.debug = flags.on("debug") or flags.text("log-level").lower() in ("debug", "trace")
    return cli


def _show_help(program: str, words: list[str], stream: TextIO | None = None) -> int:
    from pier.cli import help as texts  # lazily: only for --help

    row, _ = table.find(words)
    if row is None:
        text = texts.group(program, words[0]) if words and words[0] in table.GROUPS else texts.program(program)
        (stream or sys.stdout).write(text)
    else:
        path = " ".join(words[: 2 if words[0] in table.GROUPS else 1])
        sys.stdout.write(texts.command(program, path, row, load(row)))
    return 0


def load(row: table.Row) -> Definition:
    """The definition of a command, from its module."""
    name = f"pier.cli.commands.{row.module}"
    __import__(name)
    definition = sys.modules[name].DEFINITIONS[row.canonical]
    assert isinstance(definition, Definition)
    return definition


def _run_command(cli: Cli, words: list[str]) -> int:
    row, count = table.find(words)
    if row is None:
        return _no_command(cli.program, words)
    path = " ".join(words[:count])
    cli.command = f"{cli.program} {path}"
    definition = load(row)
    try:
        flags, positional = _parse(definition, words[count:])
        if flags.on("help"):
            if "-h" in words[count:] and flags.flags["help"].short:
                sys.stderr.write("Flag shorthand -h has been deprecated, use --help\n")
            return _show_help(cli.program, words[:count])
        definition.check(cli.command, len(positional))
        return definition.handler(cli, flags, positional) or 0
    except UsageFailure as failure:
        from pier.cli.help import usage_line  # lazily: only for mistakes

        text = f"{cli.program}: {failure.message}" if failure.prefix else failure.message
        usage = usage_line(cli.program, path, definition)
        hint = f"{failure.hint} '{cli.command} --help' for more information"
        raise Failure(f"{text}\n\n{usage}\n\n{hint}", failure.code) from None


def _parse(definition: Definition, words: list[str]) -> tuple[Parsed, list[str]]:
    flags = read_table(definition.flags)
    if "help" not in flags:
        short = "" if any(flag.short == "h" for flag in flags.values()) else "h"
        flags["help"] = Flag("help", short, "bool", "Print usage", hidden=True)
    return Parser(flags, interspersed=definition.interspersed, types=definition.types).parse(words)


def _no_command(program: str, words: list[str]) -> int:
    if words[0] not in table.GROUPS:
        raise Failure(
            f"{program}: unknown command: {program} {words[0]}\n\nRun '{program} --help' for more information"
        )
    if len(words) == 1:
        return _show_help(program, words, sys.stderr)
    if words[1] in ("--help", "-h"):
        return _show_help(program, words[:1])
    command = f"{program} {words[0]}"
    if words[1].startswith("-"):
        kind = "flag: " + words[1].partition("=")[0]
        if not words[1].startswith("--"):
            kind = f"shorthand flag: '{words[1][1:2]}' in {words[1]}"
        text = f"unknown {kind}\n\nUsage:  {command} COMMAND\n\nRun '{command} --help' for more information"
        raise Failure(text, 125)
    text = f"{program}: unknown command: {command} {words[1]}\n\nUsage:  {command}\n\n"
    raise Failure(f"{text}Run '{command} --help' for more information")


if __name__ == "__main__":
    main()
