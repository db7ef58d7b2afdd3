"""`pier inspect` and the `inspect` of each kind of object: all that the daemon knows, as JSON or by a template."""

from __future__ import annotations

import json
import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.lifecycle import path
from pier.cli.commands.rmi import image_path
from pier.cli.failure import Failure
from pier.cli.report import describe
from pier.client.errors import ConnectionFailed
from pier.client.http import quote
from pier.spec.errors import NotFound, PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from pier.cli.flags import Parsed

    Getter: TypeAlias = Callable[[str], Any]

FORMAT = "-f, --format string   @format-inspect\n"
SIZE = "-s, --size            Display total file sizes\n"
ANY = FORMAT + "-s, --size            Display total file sizes if the type is container\n"
ANY += "    --type string     Only inspect objects of the given type\n"
KINDS = ("config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume")
BUILT = ("container", "image", "network", "volume", "plugin")


def getters(cli: Cli, flags: Parsed) -> dict[str, Getter]:
    """How to get an object of each kind."""
    size: dict[str, str | list[str]] = {"size": "1"} if flags.on("size") else {}
    verbose: dict[str, str | list[str]] = {"verbose": "true"} if flags.on("verbose") else {}
    client = cli.client
    found: dict[str, Getter] = {
        "container": lambda name: client.get(path(name, "json"), size),
        "image": lambda name: client.get(image_path(name, "json")),
        "network": lambda name: client.get(f"/networks/{quote(name)}", verbose),
        "volume": lambda name: client.get(f"/volumes/{quote(name)}"),
        "plugin": lambda name: client.get(f"/plugins/{quote(name)}/json"),
    }
    swarm = ("node", "service", "task", "secret", "config")
    return found | {kind: _swarm_getter(cli, kind) for kind in swarm}


def _swarm_getter(cli: Cli, kind: str) -> Getter:
    return lambda name: cli.client.get(f"/{kind}s/{quote(name)}")


def any_kind(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """The object with this name, whatever it is."""
    kind = flags.text("type")
    if kind and kind not in KINDS:
        words = ", ".join(f'"{name}"' for name in KINDS)
        raise Failure(f'unknown type: "{kind}": must be one of {words}')
    known = getters(cli, flags)
    if kind:
        return show(cli, flags, arguments, known[kind])

    def first(name: str) -> object:
        for one in BUILT:
            try:
                return known[one](name)
            except ConnectionFailed:
                raise
            except PierError:
                continue
        raise _Unknown(f"Error: No such object: {name}")

    return show(cli, flags, arguments, first)


class _Unknown(NotFound):
    """Nothing of any kind has this name."""


def show(cli: Cli, flags: Parsed, names: list[str], getter: Getter, *, escapes: bool = False) -> int:
    """Print what is found, then say what is not. `escapes`: Go writes the JSON anew, with `<`, `>` and `&` escaped."""
    form = flags.text("format")
    render = _renderer(form) if form and form != "json" else None
    found: list[object] = []
    texts: list[str] = []
    problems: list[str] = []
    for name in names:
        try:
            value = getter(name)
            if render is None:
                found.append(value)
            else:
                texts.append(render(value))
        except ConnectionFailed:
            raise
        except PierError as error:
            problems.append(describe(error))
        except Failure as failure:
            problems.append(failure.message)
    if render is not None:
        sys.stdout.write("\n".join(texts) + "\n")
    else:
        text = _compact(found) if form else pretty(found)
        sys.stdout.write((_escaped(text) if escapes else text) + "\n")
    if problems:
        cli.error("\n".join(problems))
    return 1 if problems else 0


def pretty(value: object) -> str:
    """Indented JSON with `<`, `>` and `&` as they are: the daemon does not escape them, and docker only indents."""
    return json.dumps(value, indent=4, ensure_ascii=False)


def _compact(value: object) -> str:
    from pier.cli.templates.values import encode_as_is

    return encode_as_is(value)


def _escaped(text: str) -> str:
    from pier.cli.templates.values import escaped

    return escaped(text)


def _renderer(form: str) -> Callable[[object], str]:
    from pier.cli.templates.lexer import TemplateError
    from pier.cli.templates.template import Template
    from pier.cli.templates.values import typed

    try:
        template = Template(form)
    except TemplateError as error:
        raise Failure(f"template parsing error: {error}", 64) from None

    def render(value: object) -> str:
        try:
            return template.execute(typed(value))
        except TemplateError as error:
            raise Failure(f"template parsing error: {error}") from None

    return render


def one_kind(kind: str) -> Callable[[Cli, Parsed, list[str]], int]:
    """The handler for `pier KIND inspect`. Of these, docker shows only volumes in JSON of its own."""

    def run(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
        return show(cli, flags, arguments, getters(cli, flags)[kind], escapes=kind == "volume")

    return run


IMAGE = FORMAT + (
    "    --platform string   Inspect a specific platform of the multi-platform image.|If the image or the server is"
    " not multi-platform capable, the command will error out if the platform does not match."
    "|'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)\n"
)
VERBOSE = "-v, --verbose         Verbose output for diagnostics\n"
DEFINITIONS = {
    "inspect": Definition("[OPTIONS] NAME|ID [NAME|ID...]", any_kind, flags=ANY, least=1),
    "container inspect": Definition(
        "[OPTIONS] CONTAINER [CONTAINER...]", one_kind("container"), flags=FORMAT + SIZE, least=1
    ),
    "image inspect": Definition("[OPTIONS] IMAGE [IMAGE...]", one_kind("image"), flags=IMAGE, least=1),
    "network inspect": Definition(
        "[OPTIONS] NETWORK [NETWORK...]", one_kind("network"), flags=FORMAT + VERBOSE, least=1
    ),
    "volume inspect": Definition("[OPTIONS] VOLUME [VOLUME...]", one_kind("volume"), flags=FORMAT, least=1),
}
