"""`pier image copy`: an image from one daemon to another, without a registry and without what is there already."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.commands.rmi import image_path
from pier.cli.failure import Failure
from pier.cli.output.progress import Display, Silence
from pier.spec.errors import NotFound, PierError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed
    from pier.client.client import Client

FLAGS = "-q, --quiet   Only print the image's ID\n"
LONG = """
The destination is an address as -H takes it: ssh://[user@]host, tcp://host:port or unix:///path. Only layers that it
lacks are sent, each is verified when it arrives, and the image has the same ID there."""
TAR = {"Content-Type": "application/x-tar"}


def run(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Send one image."""
    name, destination = arguments
    if "://" not in destination:
        raise Failure(f"invalid destination {destination}: give an address such as ssh://host or unix:///path")
    copy_image(cli, name, destination, quiet=flags.on("quiet"))


def copy_image(cli: Cli, name: str, destination: str, *, quiet: bool) -> None:
    """Send an image and tell what was sent."""
    found = cli.client.get(image_path(name, "json"))
    layers = list(dict.fromkeys(found["RootFS"].get("Layers") or []))
    there = _client(destination)
    try:
        missing = _missing(there, layers)
        try:
            _send(cli.client, there, name, [one for one in layers if one not in missing], quiet=quiet)
        except PierError:
            if len(missing) == len(layers):
                raise
            _send(cli.client, there, name, [], quiet=quiet)  # what was there may have been removed meanwhile
            missing = layers
        _verify(there, found["Id"], destination)
    finally:
        there.close()
    if quiet:
        cli.out(found["Id"])
    else:
        cli.out(f"{name}: {len(missing)} of {len(layers)} layers sent to {destination}, {found['Id']}")


def _client(destination: str) -> Client:
    from pier.client.address import parse
    from pier.client.client import Client

    return Client(parse(destination))


def _missing(there: Client, layers: list[str]) -> list[str]:
    """The layers that the other side lacks: all of them where it is no Pier and cannot tell."""
    try:
        answer = there.post("/pier/v1/layers/missing", None, {"Layers": layers})
    except NotFound:
        return layers
    lacking = set(answer.get("Missing") or [])
    return [one for one in layers if one in lacking]


def _send(here: Client, there: Client, name: str, without: list[str], *, quiet: bool) -> None:
    try:
        archive = here.open("GET", f"/pier/v1{image_path(name, 'archive')}", {"without": without})
    except NotFound:
        archive = here.open("GET", image_path(name, "get"))  # no Pier: the whole archive
    loaded = there.open("POST", "/images/load", {"quiet": "1"}, archive.chunks(), TAR)
    Display(Silence() if quiet else sys.stdout).show(loaded.lines())


def _verify(there: Client, image_id: str, destination: str) -> None:
    """The image's id is the digest of its configuration, which names every layer by its digest."""
    try:
        there.get(image_path(image_id, "json"))
    except NotFound:
        raise Failure(f"{destination} did not load {image_id}: it has another image, or none") from None


DEFINITIONS = {
    "image copy": Definition("[OPTIONS] IMAGE DESTINATION", run, flags=FLAGS, least=2, most=2, long=LONG),
}
