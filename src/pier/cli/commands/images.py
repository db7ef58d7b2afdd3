"""`pier images`: the list of images."""

from __future__ import annotations

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.output import filters, formats, times, units
from pier.cli.templates.values import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed

FLAGS = """
-a, --all             Show all images (default hides intermediate images)
    --digests         Show digests
-f, --filter filter   Filter output based on conditions provided
    --format string   @format
    --no-trunc        Don't truncate output
-q, --quiet           Only show image IDs
    --tree            List multi-platform images as a tree (EXPERIMENTAL)
"""
TABLE = "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{if .CreatedSince }}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}"
DIGESTS = TABLE.replace("{{.ID}}", "{{.Digest}}\t{{.ID}}")
RAW = "repository: {{.Repository}}\n{{if .Tag}}tag: {{.Tag}}\n{{end -}}{digest}image_id: {{.ID}}\n"
RAW += "created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n"
HEADERS = {
    "ID": "IMAGE ID",
    "Repository": "REPOSITORY",
    "Tag": "TAG",
    "Digest": "DIGEST",
    "CreatedSince": "CREATED",
    "CreatedAt": "CREATED AT",
    "Size": "SIZE",
    "Containers": "CONTAINERS",
    "VirtualSize": "VIRTUAL SIZE",
    "SharedSize": "SHARED SIZE",
    "UniqueSize": "UNIQUE SIZE",
    "Locked": "LOCKED",
}
NONE = "<none>"


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Ask for the list and print it."""
    if flags.on("tree"):
        raise Failure("--tree is not supported: the list has one line for each name")
    given = flags.many("filter")
    if arguments:
        given = [*given, f"reference={arguments[0]}"]
    query: dict[str, str | list[str]] = {**filters.encode(given)}
    if flags.on("all"):
        query["all"] = "1"
    images = cli.client.get("/images/json", query) or []
    form = flags.text("format") or ("" if flags.on("quiet") else cli.setting("imagesFormat"))
    chosen = choose(form, quiet=flags.on("quiet"), digests=flags.on("digests"))
    if chosen in (TABLE, DIGESTS) and any(is_locked(image) for image in images):
        chosen += "\t{{.Locked}}"
    digests = flags.on("digests") or ".Digest" in form
    trunc = not flags.on("no-trunc")
    rows = [one for image in images for one in rows_of(image, trunc=trunc, digests=digests)]
    formats.show(chosen, HEADERS, rows)


def is_locked(image: dict[str, Any]) -> bool:
    """Whether the image is protected against removal (`pier image lock`)."""
    return bool((image.get("Pier") or {}).get("Locked"))


def choose(form: str, *, quiet: bool, digests: bool) -> str:
    """The format that the flags mean."""
    if form == "raw":
        return "image_id: {{.ID}}" if quiet else RAW.replace("{digest}", "digest: {{.Digest}}\n" if digests else "")
    if form == "table" and quiet:
        return "{{.ID}}"
    if form in ("", "table"):
        return "{{.ID}}" if quiet else DIGESTS if digests else TABLE
    return form


def rows_of(image: dict[str, Any], *, trunc: bool, digests: bool = False) -> list[Row]:
    """One row for each name of an image; one with `<none>` for an image without names."""
    tags = [tag for tag in image.get("RepoTags") or [] if tag != "<none>:<none>"]
    found = [digest for digest in image.get("RepoDigests") or [] if not digest.startswith("<none>@")]
    if not tags and not found:
        return [row(image, NONE, NONE, NONE, trunc=trunc)]
    by_repository = {digest.partition("@")[0]: digest.partition("@")[2] for digest in found}
    result = []
    seen = set()
    for tag in tags:
        repository, _, name = tag.rpartition(":")
        seen.add(repository)
        digest = by_repository.get(repository, NONE) if digests else NONE
        result.append(row(image, repository, name, digest, trunc=trunc))
    for repository, digest in by_repository.items():
        if repository not in seen:
            result.append(row(image, repository, NONE, digest if digests else NONE, trunc=trunc))
    return result


def row(image: dict[str, Any], repository: str, tag: str, digest: str, *, trunc: bool) -> Row:
    """An image under one name as the formatter's fields."""
    created = int(image.get("Created") or 0)
    size = image.get("Size") or 0
    shared, containers = image.get("SharedSize", -1), image.get("Containers", -1)
    return Row(
        "formatter.imageContext",
        {
            "ID": lambda: formats.short_id(image["Id"]) if trunc else image["Id"],
            "Repository": lambda: repository,
            "Tag": lambda: tag,
            "Digest": lambda: digest,
            "CreatedSince": lambda: times.ago(created) if created > 0 else "",
            "CreatedAt": lambda: times.go_string(created * times.NANO),
            "Size": lambda: units.human_size(size, 3),
            "Containers": lambda: "N/A" if containers == -1 else str(containers),
            "VirtualSize": lambda: units.human_size(size),
            "SharedSize": lambda: "N/A" if shared == -1 else units.human_size(shared),
            "UniqueSize": lambda: "N/A" if shared == -1 else units.human_size(size - shared),
            "Locked": lambda: "yes" if is_locked(image) else "",
        },
        ours=("Locked",),
    )


DEFINITIONS = {"image ls": Definition("[OPTIONS] [REPOSITORY[:TAG]]", run, flags=FLAGS, most=1)}
