"""The endpoints that copy files out of and into containers, and make images of them."""

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Streaming
from pier.api.router import Route
from pier.api.routes import images
from pier.engine.committing import Wishes
from pier.engine.engine import Engine
from pier.http import headers
from pier.spec.containers import ContainerConfig
from pier.spec.errors import InvalidParameter


def _path(request: Request) -> str:
    path = request.query.string("path")
    if not path:
        raise InvalidParameter('invalid or missing path parameter: "path" must not be empty')
    return path


async def stat(request: Request, engine: Engine) -> Answer:
    """What is at a path."""
    container = engine.containers.find(request["name"])
    told = await engine.containers.archives.stat(container, _path(request))
    return responses.empty(200, {headers.PATH_STAT: told})


async def read(request: Request, engine: Engine) -> Answer:
    """An archive of a path."""
    container = engine.containers.find(request["name"])
    path = _path(request)
    told = await engine.containers.archives.stat(container, path)
    pieces = engine.containers.archives.read(container, path)
    return Streaming(headers.TAR, pieces, headers={headers.PATH_STAT: told})


async def write(request: Request, engine: Engine) -> Answer:
    """Unpack the body into a directory."""
    query = request.query
    await engine.containers.archives.write(
        engine.containers.find(request["name"]),
        _path(request),
        request.body(),
        keep_directories=query.boolean("noOverwriteDirNonDir"),
        as_user=query.boolean("copyUIDGID"),
    )
    return responses.empty(200)


async def export(request: Request, engine: Engine) -> Answer:
    """An archive of the whole root."""
    container = engine.containers.find(request["name"])
    return Streaming("application/octet-stream", engine.containers.archives.export(container))


async def commit(request: Request, engine: Engine) -> Answer:
    """Make an image of a container."""
    query = request.query
    wishes = Wishes(
        repository=query.string("repo"),
        tag=query.string("tag"),
        comment=query.string("comment"),
        author=query.string("author"),
        pause=query.boolean("pause", default=True),
        changes=images.instructions(query),
        config=await request.json(ContainerConfig),
    )
    return responses.json({"Id": await engine.containers.commit(query.string("container"), wishes)}, 201)


ROUTES: tuple[Route, ...] = (
    Route("HEAD", "/containers/{name}/archive", stat),
    Route("GET", "/containers/{name}/archive", read, cancellable=True),
    Route("PUT", "/containers/{name}/archive", write),
    Route("GET", "/containers/{name}/export", export, cancellable=True),
    Route("POST", "/commit", commit),
)
