"""The texts of `--help`, laid out as Docker's: the program's, a group's, a command's. Pure except for the width."""

from __future__ import annotations

import os

from pier.cli import table
from pier.cli.flags import Flag, read_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.command import Definition

WIDTH = 80
NARROW = 24
SLOP = 5
GLOBAL_FLAGS = """
    --config string      Location of client config files (default "{home}/.docker")
-c, --context string     Name of the context to use to connect to the daemon (overrides DOCKER_HOST env var and
            default context set with "docker context use")
-D, --debug              Enable debug mode
-H, --host list          Daemon socket to connect to
-l, --log-level string   Set the logging level ("debug", "info", "warn", "error", "fatal") (default "info")
    --tls                Use TLS; implied by --tlsverify
    --tlscacert string   Trust certs signed only by this CA (default "{home}/.docker/ca.pem")
    --tlscert string     Path to TLS certificate file (default "{home}/.docker/cert.pem")
    --tlskey string      Path to TLS key file (default "{home}/.docker/key.pem")
    --tlsverify          Use TLS and verify the remote
-v, --version            Print version information and quit
"""
FORMAT_END = (
    """Refer to https://docs.docker.com/go/formatting/ for more information about formatting output with templates"""
)
FORMATS = {
    "@format": "Format output using a custom template:\n"
    "'table':            Print output in table format with column headers (default)\n"
    "'table TEMPLATE':   Print output in table format using the given Go template\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n" + FORMAT_END,
    "@format-inspect": "Format output using a custom template:\n"
    "'json':             Print in JSON format\n"
    "'TEMPLATE':         Print output using the given Go template.\n" + FORMAT_END,
}


def width() -> int:
    """The terminal's width, 80 where there is none."""
    try:
        return os.get_terminal_size(0).columns or WIDTH
    except OSError:
        return WIDTH


def flag_usages(flags: dict[str, Flag], columns: int) -> str:
    """The flags one below the other, their help wrapped to this many columns (pflag's FlagUsagesWrapped)."""
    shown = [flag for flag in sorted(flags.values(), key=lambda flag: flag.name) if not flag.hidden]
    lefts = [_left(flag) for flag in shown]
    indent = max((len(left) for left in lefts), default=0) + 3
    lines = []
    for flag, left in zip(shown, lefts, strict=True):
        lines.append(left.ljust(indent) + _wrap(FORMATS.get(flag.help, flag.help), indent, columns))
    return "\n".join(lines)


def _left(flag: Flag) -> str:
    text = f"  -{flag.short}, --{flag.name}" if flag.short else f"      --{flag.name}"
    return text if flag.type == "bool" else f"{text} {SHOWN_TYPES.get(flag.type, flag.type)}"


SHOWN_TYPES = {
    "attach": "list",
    "swap": "bytes",
    "host": "list",
    "address": "list",
    "variable": "list",
    "sysctl": "map",
    "link": "list",
    "rule": "list",
    "weight": "list",
    "bps": "list",
    "iops": "list",
    "label": "list",
    "option": "list",
    "domain": "list",
}


def _wrap(text: str, indent: int, columns: int) -> str:
    room = columns - indent
    result = ""
    if room < NARROW:
        indent = 16
        room = columns - indent
        result = "\n" + " " * indent
    if room < NARROW:
        return text.replace("\n", result)
    room -= SLOP
    margin = "\n" + " " * indent
    pieces = []
    while text:
        piece, text = _cut(room, text)
        pieces.append(piece.replace("\n", margin))
    return result + margin.join(pieces)


def _cut(room: int, text: str) -> tuple[str, str]:
    if room + SLOP > len(text):
        return text, ""
    window = text[:room]
    space = max(window.rfind(" "), window.rfind("\t"), window.rfind("\n"))
    if space <= 0:
        return text, ""
    line = window.rfind("\n")
    if 0 < line < space:
        space = line
    return text[:space], text[space + 1 :]


def program(name: str) -> str:
    """The text of `pier --help`."""
    rows = table.rows()
    words = {row.paths[-1]: row.summary for row in rows if " " not in row.paths[-1]}
    common = [(word, words[word]) for word in table.COMMON]
    others = sorted((word, summary) for word, summary in words.items() if word not in table.COMMON)
    home = os.environ.get("HOME") or "/root"
    usages = flag_usages(read_table(GLOBAL_FLAGS.replace("{home}", home)), width() - 1)
    return (
        f"Usage:  {name} [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\n"
        f"Common Commands:\n{_listed(common)}\n\n"
        f"Management Commands:\n{_listed(list(table.GROUPS.items()))}\n\n"
        f"Commands:\n{_listed(others)}\n\nGlobal Options:\n{usages}\n\n"
        f"Run '{name} COMMAND --help' for more information on a command.\n"
    )


def _listed(entries: list[tuple[str, str]]) -> str:
    room = max(11, *(len(word) for word, _ in entries))
    return "\n".join(f"  {word.ljust(room)} {summary}" for word, summary in entries)


def group(name: str, word: str) -> str:
    """The text of `pier container --help`."""
    members = [row for row in table.rows() if row.canonical.startswith(word + " ")]
    entries = [(row.canonical.partition(" ")[2], row.summary) for row in members]
    return (
        f"Usage:  {name} {word} COMMAND\n\n{table.GROUPS[word]}\n\nCommands:\n{_listed(entries)}\n\n"
        f"Run '{name} {word} COMMAND --help' for more information on a command.\n"
    )


def usage_line(name: str, path: str, definition: Definition) -> str:
    """`Usage:  pier ps [OPTIONS]`; a second form stands on its own line."""
    forms = definition.usage.split("\n")
    return "Usage:  " + "\n\t".join(f"{name} {path} {form}".rstrip() for form in forms)


def command(name: str, path: str, row: table.Row, definition: Definition) -> str:
    """The text of `pier ps --help`."""
    text = usage_line(name, path, definition) + "\n\n"
    if definition.long.startswith(row.summary):
        text += definition.long + "\n"
    else:
        text += row.summary + "\n" + (f"\n{definition.long}\n" if definition.long else "")
    if len(row.paths) > 1:
        text += "\nAliases:\n  " + ", ".join(f"{name} {other}" for other in row.paths) + "\n"
    flags = read_table(definition.flags)
    if flags:
        text += f"\nOptions:\n{flag_usages(flags, width() - 1)}\n"
    return text
