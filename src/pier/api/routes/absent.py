"""Endpoints of parts that Pier does not have (swarm, plugins, builds, checkpoints, sessions).

They answer as Docker does where the feature is off, and never 404.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Response
from pier.api.router import Route
from pier.spec.errors import InvalidParameter, NotFound, NotSupported, Unavailable

if TYPE_CHECKING:
    from pier.engine.engine import Engine

_NOT_A_MANAGER = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" '
    "to connect this node to swarm and try again."
)
_Handler = Callable[[Request, "Engine"], Awaitable[Response]]


async def not_a_manager(request: Request, engine: "Engine") -> Response:
    """What only a manager of a swarm knows."""
    del request, engine
    raise Unavailable(_NOT_A_MANAGER)


async def not_in_a_swarm(request: Request, engine: "Engine") -> Response:
    """Leaving a swarm."""
    del request, engine
    raise Unavailable("This node is not part of a swarm")


async def no_plugins(request: Request, engine: "Engine") -> Response:
    """The list of plugins, or of the privileges that one would need."""
    del request, engine
    return responses.json([])


async def unknown_plugin(request: Request, engine: "Engine") -> Response:
    """Anything with an installed plugin."""
    del engine
    raise NotFound(f'plugin "{request["name"]}" not found')


async def nothing_cached(request: Request, engine: "Engine") -> Response:
    """The cache of builds, which is empty."""
    del engine
    request.query.filters()
    return responses.json({"CachesDeleted": None, "SpaceReclaimed": 0})


async def no_upgrade(request: Request, engine: "Engine") -> Response:
    """BuildKit's sessions."""
    del engine
    if not request.headers.get("Upgrade"):
        raise InvalidParameter("no upgrade proto in request")
    raise NotSupported("BuildKit sessions are not supported: Pier does not build images yet")


def refused(what: str, why: str) -> _Handler:
    """A handler that refuses by name."""

    async def handler(request: Request, engine: "Engine") -> Response:
        del request, engine
        raise NotSupported(f"{what} is not supported: {why}")

    return handler


_SWARM = "swarm mode", "Pier runs on one machine"
_PLUGINS = "installing plugins", "Pier has no plugins"
_BUILDS = "building images", "Pier does not build images yet"
_CHECKPOINTS = "checkpointing containers", "Docker offers it in experimental mode only"
_PROFILES = "profiles of the Go runtime", "Pier is written in Python (SIGUSR1 logs every thread's stack)"
_MANAGED = ("nodes", "services", "tasks", "secrets", "configs")


def _managed(noun: str) -> tuple[Route, ...]:
    """The endpoints of one noun of the swarm."""
    return (
        Route("GET", f"/{noun}", not_a_manager),
        Route("POST", f"/{noun}/create", not_a_manager),
        Route("GET", f"/{noun}/{{id}}", not_a_manager),
        Route("GET", f"/{noun}/{{id}}/logs", not_a_manager),
        Route("POST", f"/{noun}/{{id}}/update", not_a_manager),
        Route("DELETE", f"/{noun}/{{id}}", not_a_manager),
    )


ROUTES = (
    Route("GET", "/swarm", not_a_manager),
    Route("POST", "/swarm/init", refused(*_SWARM)),
    Route("POST", "/swarm/join", refused(*_SWARM)),
    Route("POST", "/swarm/leave", not_in_a_swarm),
    Route("POST", "/swarm/update", not_a_manager),
    Route("GET", "/swarm/unlockkey", not_a_manager),
    Route("POST", "/swarm/unlock", not_a_manager),
    *(route for noun in _MANAGED for route in _managed(noun)),
    Route("GET", "/plugins", no_plugins),
    Route("GET", "/plugins/privileges", no_plugins),
    Route("POST", "/plugins/pull", refused(*_PLUGINS)),
    Route("POST", "/plugins/create", refused(*_PLUGINS)),
    Route("GET", "/plugins/{name:*}/json", unknown_plugin),
    Route("POST", "/plugins/{name:*}/enable", unknown_plugin),
    Route("POST", "/plugins/{name:*}/disable", unknown_plugin),
    Route("POST", "/plugins/{name:*}/upgrade", unknown_plugin),
    Route("POST", "/plugins/{name:*}/push", unknown_plugin),
    Route("POST", "/plugins/{name:*}/set", unknown_plugin),
    Route("DELETE", "/plugins/{name:*}", unknown_plugin),
    Route("POST", "/build", refused(*_BUILDS)),
    Route("POST", "/build/prune", nothing_cached),
    Route("POST", "/build/cancel", refused(*_BUILDS)),
    Route("GET", "/debug/vars", refused(*_PROFILES)),
    Route("GET", "/debug/pprof/", refused(*_PROFILES)),
    Route("GET", "/debug/pprof/{name}", refused(*_PROFILES)),
    Route("POST", "/session", no_upgrade),
    Route("POST", "/grpc", no_upgrade),
    Route("GET", "/containers/{name}/checkpoints", refused(*_CHECKPOINTS)),
    Route("POST", "/containers/{name}/checkpoints", refused(*_CHECKPOINTS)),
    Route("DELETE", "/containers/{name}/checkpoints/{checkpoint}", refused(*_CHECKPOINTS)),
)
