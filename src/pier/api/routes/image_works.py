"""`/pier/v1/images`: what Pier does with images beyond Docker's API."""

from typing import TYPE_CHECKING

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Response, Streaming
from pier.api.router import Route
from pier.api.routes.images import instructions
from pier.engine.images import Import
from pier.http import headers
from pier.spec.errors import InvalidParameter

if TYPE_CHECKING:
    from pier.engine.engine import Engine

_LINES = "application/x-ndjson"
_LATEST = 253_402_300_799  # the end of the year 9999


async def squash(request: Request, engine: "Engine") -> Response:
    """One layer in the place of several: above the image `from`, named `tag`."""
    query = request.query
    made = await engine.images.works.squash(request["name"], query.string("from"), query.string("tag"))
    return responses.json(made, 201)


async def diff(request: Request, engine: "Engine") -> Answer:
    """How the image `to` differs from the image `from`."""
    old, new = request.query.string("from"), request.query.string("to")
    if not old or not new:
        raise InvalidParameter("two images must be given: from and to")
    return Streaming(_LINES, engine.images.works.diff(old, new))


async def lock(request: Request, engine: "Engine") -> Response:
    """Lock an image against removal."""
    return responses.json(await engine.images.works.lock(request["name"], locked=True))


async def unlock(request: Request, engine: "Engine") -> Response:
    """Let it be removed again."""
    return responses.json(await engine.images.works.lock(request["name"], locked=False))


async def import_(request: Request, engine: "Engine") -> Response:
    """A tar as an image with a time of its own (`created`, in seconds since 1970), so that it can be made again."""
    query = request.query
    created = query.optional_integer("created")
    if created is None or not 0 <= created <= _LATEST:
        raise InvalidParameter(f"created must be a number of seconds from 0 to {_LATEST}")
    wanted = Import(
        repository=query.string("repo"),
        tag=query.string("tag"),
        message=query.string("message"),
        changes=instructions(query),
        platform=query.string("platform"),
        created=created,
    )
    return responses.json({"Id": await engine.images.import_(request.body(), wanted)}, 201)


async def save(request: Request, engine: "Engine") -> Answer:
    """Images as one archive, without the layers that the images of `since` have."""
    query = request.query
    if not query.string("since"):
        raise InvalidParameter("an older image must be given: since")
    without = engine.images.works.layers_of(query.string("since"))
    return Streaming(headers.TAR, engine.images.archives.save(query.all("names"), without))


ROUTES = (
    Route("GET", "/pier/v1/images/diff", diff, cancellable=True),
    Route("POST", "/pier/v1/images/import", import_),
    Route("GET", "/pier/v1/images/get", save, cancellable=True),
    Route("POST", "/pier/v1/images/{name:*}/squash", squash),
    Route("POST", "/pier/v1/images/{name:*}/lock", lock),
    Route("POST", "/pier/v1/images/{name:*}/unlock", unlock),
)
