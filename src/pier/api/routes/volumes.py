"""`/volumes`: lists, making, removing."""

from typing import TYPE_CHECKING

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Response
from pier.api.router import Route
from pier.spec.volumes import VolumeCreateRequest

if TYPE_CHECKING:
    from pier.engine.engine import Engine


async def volumes(request: Request, engine: "Engine") -> Response:
    """All volumes that pass the filters."""
    return responses.json(engine.volumes.summaries(request.query.filters()))


async def inspect(request: Request, engine: "Engine") -> Response:
    """One volume."""
    return responses.json(engine.volumes.inspect(request["name"]))


async def create(request: Request, engine: "Engine") -> Response:
    """A new volume, or the one of that name."""
    body = await request.required_json(VolumeCreateRequest)
    return responses.json(await engine.volumes.create(body), 201)


async def update(request: Request, engine: "Engine") -> Response:
    """Volumes of a cluster alone can be updated."""
    engine.volumes.update(request["name"])
    return responses.empty(200)


async def remove(request: Request, engine: "Engine") -> Response:
    """Take a volume away."""
    await engine.volumes.remove(request["name"], force=request.query.boolean("force"))
    return responses.empty(204)


async def prune(request: Request, engine: "Engine") -> Response:
    """Take away what no container has."""
    anonymous_only = request.version >= (1, 42)
    return responses.json(await engine.volumes.prune(request.query.filters(), anonymous_only=anonymous_only))


ROUTES = (
    Route("GET", "/volumes", volumes),
    Route("POST", "/volumes/create", create),
    Route("POST", "/volumes/prune", prune, since="1.25"),
    Route("GET", "/volumes/{name:*}", inspect),
    Route("PUT", "/volumes/{name:*}", update, since="1.42"),
    Route("DELETE", "/volumes/{name:*}", remove),
)
