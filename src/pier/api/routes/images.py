"""`/images`: lists, inspect, history, names, removal, import and pull."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from pier.api import responses
from pier.api.parameters import Query
from pier.api.requests import Request
from pier.api.responses import Answer, Response, Streaming
from pier.api.router import Route
from pier.engine.images import Import
from pier.engine.pulling import Pull
from pier.engine.pushing import Push
from pier.http import headers
from pier.spec import credentials, platforms
from pier.spec.errors import InvalidParameter, NotSupported
from pier.spec.manifests import PlatformField
from pier.spec.platforms import Platform

if TYPE_CHECKING:
    from pier.engine.engine import Engine

# What Docker printed of every image's configuration before API 1.50, whether it was set or not.
_LEGACY_CONFIG: Mapping[str, object] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


_SEARCH_LIMIT, _MAX_SEARCH_LIMIT = 25, 100


async def images(request: Request, engine: "Engine") -> Response:
    """The images that pass the filters."""
    query = request.query
    _refuse(request, "manifests", (1, 47))
    filters = query.filters()
    if query.string("filter") and request.version < (1, 41):
        filters["reference"] = (query.string("filter"),)
    rows = await engine.images.summaries(
        filters, shared_size=query.boolean("shared-size"), all_images=query.boolean("all")
    )
    return responses.json([_older_row(row, request.version) for row in rows])


def _refuse(request: Request, parameter: str, since: tuple[int, ...]) -> None:
    """What is not built is not passed over."""
    if request.version >= since and request.query.string(parameter) not in ("", "0", "false"):
        raise NotSupported(f"the parameter {parameter} is not supported yet")


def _older_row(row: dict[str, Any], version: tuple[int, ...]) -> dict[str, Any]:
    if version < (1, 44):
        row["VirtualSize"] = row["Size"]
    if version < (1, 43) and not row["RepoTags"] and not row["RepoDigests"]:
        row |= {"RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}
    return row


async def inspect(request: Request, engine: "Engine") -> Response:
    """One image."""
    platform = _wanted_platform(request, (1, 49))
    if platform and request.query.boolean("manifests"):
        raise InvalidParameter("conflicting options: manifests and platform options cannot both be set")
    _refuse(request, "manifests", (1, 48))
    view = engine.images.inspect(request["name"], platform)
    if request.version < (1, 50):
        view["Config"] = {**_LEGACY_CONFIG, **view["Config"]}
    if request.version < (1, 45):
        view |= {"Container": "", "ContainerConfig": dict(_LEGACY_CONFIG)}
    if request.version < (1, 44):
        view["VirtualSize"] = view["Size"]
    return responses.json(view)


async def history(request: Request, engine: "Engine") -> Response:
    """How an image came to be."""
    return responses.json(engine.images.history(request["name"], _wanted_platform(request, (1, 48))))


async def create(request: Request, engine: "Engine") -> Answer:
    """Pull from a registry (`fromImage`), or import a tar (`fromSrc`)."""
    query = request.query
    if query.string("fromImage"):
        who = credentials.decode_header(request.headers.get(headers.REGISTRY_AUTH, ""))
        pull = Pull(query.string("fromImage"), query.string("tag"), query.string("platform"), who)
        return responses.json_lines(engine.images.pull(pull))
    source = query.string("fromSrc")
    if not source:
        raise InvalidParameter("either fromImage or fromSrc must be given")
    if source != "-":
        raise NotSupported(f"importing from {source} is not supported: download it and import the file")
    wanted = Import(
        repository=query.string("repo"),
        tag=query.string("tag"),
        message=query.string("message"),
        changes=instructions(query),
        platform=query.string("platform"),
    )
    image_id = await engine.images.import_(request.body(), wanted)
    return Response(200, headers.JSON, responses.encode({"status": image_id}))


def instructions(query: Query) -> tuple[str, ...]:
    """The Dockerfile lines of `changes`, each value holding one or more."""
    return tuple(line for change in query.all("changes") for line in change.splitlines())


async def tag(request: Request, engine: "Engine") -> Response:
    """One more name."""
    await engine.images.tag(request["name"], request.query.string("repo"), request.query.string("tag"))
    return responses.empty(201)


async def remove(request: Request, engine: "Engine") -> Response:
    """Take a name away, and with the last one the image."""
    query = request.query
    if not request["name"].strip():
        raise InvalidParameter("image name cannot be blank")
    given = query.all("platforms") if request.version >= (1, 50) else []
    wanted = [platforms.parse(_platform(text)) for text in given]
    report = await engine.images.remove(
        request["name"], force=query.boolean("force"), prune=not query.boolean("noprune"), platforms=wanted
    )
    return responses.json(report)


async def prune(request: Request, engine: "Engine") -> Response:
    """Take away what nobody uses."""
    return responses.json(await engine.images.prune(request.query.filters()))


async def push(request: Request, engine: "Engine") -> Answer:
    """Send a tag, or all tags of a repository, to its registry."""
    query = request.query
    who = _pusher(request.headers.get(headers.REGISTRY_AUTH, ""))
    wish = Push(request["name"], query.string("tag"), _platform(query.string("platform")), who)
    return responses.json_lines(engine.images.push(wish))


def _pusher(header: str) -> credentials.Credentials | None:
    """Nobody for a header that cannot be read: libraries send any text, since Docker's push once had to have one."""
    try:
        return credentials.decode_header(header)
    except InvalidParameter:
        return None


def _platform(text: str) -> str:
    """`os/architecture[/variant]` of a platform that may come as JSON, as the API has it since 1.46."""
    if not text.startswith("{"):
        return text
    try:
        wire = msgspec.json.decode(text, type=PlatformField)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidParameter("failed to parse platform: invalid JSON") from None
    if not wire.os or not wire.architecture:
        raise InvalidParameter("both OS and Architecture must be provided")
    return "/".join(part for part in (wire.os, wire.architecture, wire.variant) if part)


def _wanted_platform(request: Request, since: tuple[int, int]) -> Platform | None:
    """The `platform` parameter, which the API has `since` a version and older ones ignore."""
    text = _platform(request.query.string("platform"))
    return platforms.parse(text) if text and request.version >= since else None


async def search(request: Request, engine: "Engine") -> Response:
    """The repositories that Docker Hub, or the registry that the term begins with, finds."""
    query = request.query
    term = query.string("term")
    if not term:
        raise InvalidParameter("search term is required")
    limit = query.integer("limit") or _SEARCH_LIMIT
    if not 1 <= limit <= _MAX_SEARCH_LIMIT:
        raise InvalidParameter(f"limit {limit} is outside the range of [1, {_MAX_SEARCH_LIMIT}]")
    who = credentials.decode_header(request.headers.get(headers.REGISTRY_AUTH, ""))
    return responses.json(await engine.images.search(term, limit, query.filters(), who))


async def attestations(request: Request, engine: "Engine") -> Response:
    """Signed statements about an image: there are none."""
    engine.images.inspect(request["name"])
    return responses.json([])


async def distribution(request: Request, engine: "Engine") -> Response:
    """What a registry has under a name, without pulling it."""
    who = credentials.decode_header(request.headers.get(headers.REGISTRY_AUTH, ""))
    return responses.json(await engine.images.distribution(request["name"], who))


async def save(request: Request, engine: "Engine") -> Answer:
    """Images as one archive."""
    names = [request.variables["name"]] if "name" in request.variables else request.query.all("names")
    platform = _wanted_platform(request, (1, 48))
    return Streaming(headers.TAR, engine.images.archives.save(names, platform=platform))


class LayerList(msgspec.Struct):
    """The body of `POST /pier/v1/layers/missing`."""

    GO_NAME: ClassVar[str] = "pier.LayerList"

    Layers: list[str] = []


async def missing_layers(request: Request, engine: "Engine") -> Response:
    """Which of some layers are not here: for a copy from another daemon."""
    body = await request.required_json(LayerList)
    return responses.json({"Missing": engine.images.archives.missing(body.Layers)})


async def send(request: Request, engine: "Engine") -> Answer:
    """An image as an archive without the layers that its receiver has."""
    pieces = engine.images.archives.save([request["name"]], frozenset(request.query.all("without")))
    return Streaming(headers.TAR, pieces)


async def load(request: Request, engine: "Engine") -> Answer:
    """Images from an archive."""
    platform = _wanted_platform(request, (1, 48))
    return responses.json_lines(engine.images.archives.load(request.body(), platform))


ROUTES = (
    Route("GET", "/images/json", images),
    Route("GET", "/images/search", search),
    Route("POST", "/images/create", create, cancellable=True),
    Route("GET", "/images/get", save, cancellable=True),
    Route("GET", "/images/{name:*}/get", save, cancellable=True),
    Route("POST", "/images/load", load),
    Route("POST", "/images/prune", prune, since="1.25"),
    Route("GET", "/images/{name:*}/json", inspect),
    Route("GET", "/images/{name:*}/history", history),
    Route("GET", "/images/{name:*}/attestations", attestations),
    Route("POST", "/images/{name:*}/push", push, cancellable=True),
    Route("POST", "/images/{name:*}/tag", tag),
    Route("DELETE", "/images/{name:*}", remove),
    Route("POST", "/pier/v1/layers/missing", missing_layers),
    Route("GET", "/pier/v1/images/{name:*}/archive", send, cancellable=True),
    Route("GET", "/distribution/{name:*}/json", distribution, since="1.30", cancellable=True),
)
