"""`/networks`: lists, making, removing, connecting."""

from typing import TYPE_CHECKING

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Response
from pier.api.router import Route
from pier.spec.networks import NetworkConnect, NetworkCreateRequest, NetworkDisconnect

if TYPE_CHECKING:
    from pier.engine.engine import Engine


async def networks(request: Request, engine: "Engine") -> Response:
    """All networks that pass the filters."""
    return responses.json(engine.networks.summaries(request.query.filters()))


async def inspect(request: Request, engine: "Engine") -> Response:
    """One network with its containers."""
    return responses.json(engine.networks.inspect(request["name"]))


async def create(request: Request, engine: "Engine") -> Response:
    """A new network."""
    body = await request.required_json(NetworkCreateRequest)
    return responses.json(await engine.networks.create(body), 201)


async def remove(request: Request, engine: "Engine") -> Response:
    """Take a network away."""
    await engine.networks.remove(request["name"])
    return responses.empty(204)


async def connect(request: Request, engine: "Engine") -> Response:
    """Give a container one more network."""
    engine.networks.connect(request["name"], await request.required_json(NetworkConnect))
    return responses.empty(200)


async def disconnect(request: Request, engine: "Engine") -> Response:
    """Take a container out of a network."""
    engine.networks.disconnect(request["name"], await request.required_json(NetworkDisconnect))
    return responses.empty(200)


async def prune(request: Request, engine: "Engine") -> Response:
    """Take away what nobody uses."""
    return responses.json(await engine.networks.prune(request.query.filters()))


ROUTES = (
    Route("GET", "/networks", networks),
    Route("GET", "/networks/", networks),
    Route("POST", "/networks/create", create),
    Route("POST", "/networks/prune", prune, since="1.25"),
    Route("GET", "/networks/{name:*}", inspect),
    Route("POST", "/networks/{name:*}/connect", connect),
    Route("POST", "/networks/{name:*}/disconnect", disconnect),
    Route("DELETE", "/networks/{name:*}", remove),
)
