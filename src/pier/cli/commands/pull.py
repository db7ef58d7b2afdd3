"""`pier pull` and `pier push`: images from and to a registry, with its progress."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.rmi import platform_document
from pier.cli.failure import Failure
from pier.cli.output import references
from pier.cli.output.progress import Display, Silence
from pier.client.credentials import header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pier.cli.flags import Parsed
    from pier.cli.output.progress import Stream

PULL_FLAGS = """
-a, --all-tags                Download all tagged images in the repository
    --disable-content-trust   Skip image verification (default true)
    --platform string         Set platform if server is multi-platform capable
-q, --quiet                   Suppress verbose output
"""
PUSH_FLAGS = """
-a, --all-tags                Push all tags of an image to the repository
    --disable-content-trust   Skip image signing (default true)
    --platform string         Push a platform-specific manifest as a single-platform image to the registry.
            Image index won't be pushed, meaning that other manifests, including attestations won't be
            preserved.|'os[/arch[/variant]]': Explicit platform (eg. linux/amd64)
-q, --quiet                   Suppress verbose output
"""
_ONE_PLATFORM = """
 Info -> Using --platform pushes only the specified platform manifest of a multi-platform image index.
         Other components, like attestations, will not be included.
         To push the complete multi-platform image, remove the --platform flag.
         """


def _refuse_trust(flags: Parsed) -> None:
    if flags.changed("disable-content-trust") and not flags.on("disable-content-trust"):
        raise Failure("--disable-content-trust=false is not supported: there is no notary to ask")


def auth_headers(cli: Cli, name: str) -> dict[str, str]:
    """The header with what is known about the image's registry."""
    value = header(cli.configuration, references.registry_of(name))
    return {"X-Registry-Auth": value} if value else {}


def pull_image(cli: Cli, name: str, *, platform: str = "", quiet: bool = False, stream: Stream = sys.stdout) -> None:
    """Pull one image and draw its progress."""
    reference = references.parse(name).with_default_tag()
    tag = reference.digest or reference.tag or ""
    _pull(cli, name, {"fromImage": reference.familiar_name, "tag": tag}, platform, quiet=quiet, stream=stream)


def _pull(
    cli: Cli, name: str, query: dict[str, str | list[str]], platform: str, *, quiet: bool, stream: Stream
) -> None:
    if platform:
        query["platform"] = platform.lower()
    response = cli.client.open("POST", "/images/create", query, None, auth_headers(cli, name))
    Display(Silence() if quiet else stream).show(response.lines())


def pull(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Pull, and name what was pulled."""
    _refuse_trust(flags)
    reference = references.parse(arguments[0])
    if flags.on("all-tags"):
        if reference.tag or reference.digest:
            raise Failure("tag can't be used with --all-tags/-a")
        query: dict[str, str | list[str]] = {"fromImage": reference.familiar_name}
        _pull(cli, arguments[0], query, flags.text("platform"), quiet=flags.on("quiet"), stream=sys.stdout)
        cli.out(reference.name)
        return
    full = reference.with_default_tag()
    if full != reference and not flags.on("quiet"):
        cli.out(f"Using default tag: {full.tag}")
        sys.stdout.flush()
    pull_image(cli, arguments[0], platform=flags.text("platform"), quiet=flags.on("quiet"))
    cli.out(str(full))


def push(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Push one tag, or all."""
    _refuse_trust(flags)
    reference = references.parse(arguments[0])
    query: dict[str, str | list[str]] = {}
    if flags.on("all-tags"):
        if reference.tag or reference.digest:
            raise Failure("tag can't be used with --all-tags/-a")
    else:
        full = reference.with_default_tag()
        if full != reference and not flags.on("quiet"):
            cli.out(f"Using default tag: {full.tag}")
        query["tag"] = full.tag or full.digest or ""
    if flags.text("platform"):
        query["platform"] = platform_document(flags.text("platform"))
        cli.out(_ONE_PLATFORM)
    headers = auth_headers(cli, arguments[0]) or {"X-Registry-Auth": "e30="}
    name = reference.familiar_name
    response = cli.client.open("POST", f"/images/{name}/push", query, None, headers)
    notes: list[str] = []
    Display(Silence() if flags.on("quiet") else sys.stdout, lambda aux: notes.extend(_note(aux))).show(response.lines())
    for note in notes:
        cli.out(note)
    if flags.on("quiet"):
        cli.out(reference.name if flags.on("all-tags") else str(reference.with_default_tag()))


def _note(aux: dict[str, Any]) -> list[str]:
    """What is said of a push that left an index away."""
    if not aux.get("manifestPushedInsteadOfIndex"):
        return []
    before, after = aux["originalIndex"]["digest"], aux["selectedManifest"]["digest"]
    what = "Not all multiplatform-content is present and only the available single-platform image was pushed"
    return [f"\n Info -> {what}\n         {before} -> {after}"]


DEFINITIONS = {
    "image pull": Definition("[OPTIONS] NAME[:TAG|@DIGEST]", pull, flags=PULL_FLAGS, least=1, most=1),
    "image push": Definition("[OPTIONS] NAME[:TAG]", push, flags=PUSH_FLAGS, least=1, most=1),
}
