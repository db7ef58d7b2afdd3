"""`pier rmi` and `pier tag`: names of images taken away and given."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.output import references
from pier.cli.report import describe
from pier.spec.errors import InvalidParameter, NotFound, PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FLAGS = """
-f, --force              Force removal of the image
    --no-prune           Do not delete untagged parents
    --platform strings   Remove only the given platform variant. Formatted as "os[/arch[/variant]]" (e.g.,
            "linux/amd64")
"""


def image_path(name: str, action: str = "") -> str:
    """The URL of an image, or of an action on it."""
    from pier.client.http import quote

    return f"/images/{quote(name)}" + (f"/{action}" if action else "")


def remove(cli: Cli, flags: Parsed, arguments: list[str]) -> int:
    """Remove each and tell what that did; with --force an image that is not there is no failure."""
    query: dict[str, str | list[str]] = {}
    if flags.on("force"):
        query["force"] = "1"
    if flags.on("no-prune"):
        query["noprune"] = "1"
    if flags.many("platform"):
        query["platforms"] = [platform_document(text) for text in flags.many("platform")]
    failed = 0
    problems = []
    for name in arguments:
        try:
            for change in cli.client.delete(image_path(name), query) or []:
                cli.out(f"Deleted: {change['Deleted']}" if change.get("Deleted") else f"Untagged: {change['Untagged']}")
        except PierError as error:
            problems.append(describe(error))
            if not (flags.on("force") and isinstance(error, NotFound)):
                failed = 1
    if problems:
        cli.error("\n".join(problems))
    return failed


def platform_document(text: str) -> str:
    import json

    parts = text.split("/")
    names = ("os", "architecture", "variant")
    return json.dumps(dict(zip(names, parts, strict=False)), separators=(",", ":"))


def tag(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """Give an image another name."""
    try:
        repository, name = references.split(arguments[1])
    except InvalidParameter as error:
        text = f'Error parsing reference: "{arguments[1]}" is not a valid repository/tag: {error.message}'
        raise Failure(text) from None
    cli.client.post(image_path(arguments[0], "tag"), {"repo": repository, "tag": name})


DEFINITIONS = {
    "image rm": Definition("[OPTIONS] IMAGE [IMAGE...]", remove, flags=FLAGS, least=1),
    "image tag": Definition("SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", tag, least=2, most=2),
}
