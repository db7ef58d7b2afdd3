"""`pier image squash`, `diff`, `lock` and `unlock`: what Pier does with images beyond Docker."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pier.cli.flags import Parsed

SQUASH_FLAGS = """
    --from string   Keep the layers of this image, and squash those above them
-t, --tag string    Name and optionally a tag of the new image (format: "name:tag")
"""
DIFF_FLAGS = """
    --format string   Output format ("table" or "json") (default "table")
"""
SQUASH = "Make an image of one layer that has the same files; the image itself stays"
DIFF = "A line per path: A added, C changed, D deleted, with the change of its size; time stamps alone are no change"
LETTERS = {"added": "A", "changed": "C", "deleted": "D"}


def url(name: str, action: str) -> str:
    """The URL of an action on an image."""
    from pier.client.http import quote

    return f"/pier/v1/images/{quote(name)}/{action}"


def squash(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Print the new image's id."""
    query: dict[str, str | list[str]] = {}
    for key in ("from", "tag"):
        if flags.text(key):
            query[key] = flags.text(key)
    cli.out(cli.client.post(url(arguments[0], "squash"), query)["Id"])


def diff(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """The differences as they come, the totals last."""
    form = flags.text("format") or "table"
    if form not in ("table", "json"):
        raise Failure(f'invalid argument "{form}" for "--format" flag: must be "table" or "json"')
    query: dict[str, str | list[str]] = {"from": arguments[0], "to": arguments[1]}
    lines = _lines(cli.client.open("GET", "/pier/v1/images/diff", query).chunks())
    whole = False
    for line in lines:
        document = _decoded(line)
        whole = whole or "totals" in document
        cli.out(line.decode() if form == "json" else _totals(document) if "totals" in document else _row(document))
    if not whole:
        raise Failure("the daemon broke the comparison off: see its log")


def _lines(chunks: Iterable[bytes]) -> Iterable[bytes]:
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines


def _decoded(line: bytes) -> dict[str, Any]:
    import json

    document = json.loads(line)
    assert isinstance(document, dict)
    return document


def _row(change: dict[str, Any]) -> str:
    path = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in change["path"])
    return f"{LETTERS[change['kind']]} {_signed(change['size'] - change['old_size']):>10} {path}"


def _signed(size: int) -> str:
    from pier.cli.output import units

    return ("+" if size > 0 else "-" if size < 0 else "") + units.human_size(abs(size), 3)


def _totals(document: dict[str, Any]) -> str:
    parts = [f"{one['count']} {kind} ({_signed(one['bytes'])})" for kind, one in document["totals"].items()]
    return ", ".join(parts)


def lock(cli: Cli, _flags: Parsed, arguments: list[str]) -> int:
    """Lock each."""
    return cli.each(arguments, lambda name: cli.client.post(url(name, "lock")))


def unlock(cli: Cli, _flags: Parsed, arguments: list[str]) -> int:
    """Unlock each."""
    return cli.each(arguments, lambda name: cli.client.post(url(name, "unlock")))


DEFINITIONS = {
    "image squash": Definition("[OPTIONS] IMAGE", squash, flags=SQUASH_FLAGS, least=1, most=1, long=SQUASH),
    "image diff": Definition("[OPTIONS] OLD_IMAGE NEW_IMAGE", diff, flags=DIFF_FLAGS, least=2, most=2, long=DIFF),
    "image lock": Definition("IMAGE [IMAGE...]", lock, least=1),
    "image unlock": Definition("IMAGE [IMAGE...]", unlock, least=1),
}
