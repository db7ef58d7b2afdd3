"""The endpoints of execs."""

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Taken
from pier.api.router import Route
from pier.api.routes.containers import stream_type, window_size
from pier.engine.engine import Engine
from pier.spec.containers import ExecConfig, ExecStart


async def create(request: Request, engine: Engine) -> Answer:
    body = await request.required_json(ExecConfig)
    return responses.json({"Id": engine.execs.create(request["name"], body)}, 201)


async def start(request: Request, engine: Engine) -> Answer:
    body = await request.json(ExecStart)
    exec_ = engine.execs.find(request["id"])
    takeover = request.takeover(stream_type(request, raw=exec_.config.Tty))
    await engine.execs.start(exec_.id, body, takeover)
    return responses.empty(200) if body.Detach else Taken()


async def inspect(request: Request, engine: Engine) -> Answer:
    return responses.json(engine.execs.inspect(request["id"]))


async def resize(request: Request, engine: Engine) -> Answer:
    await engine.execs.resize(request["id"], *window_size(request))
    return responses.empty(200)


ROUTES: tuple[Route, ...] = (
    Route("POST", "/containers/{name}/exec", create),
    Route("GET", "/exec/{id}/json", inspect),
    Route("POST", "/exec/{id}/start", start),
    Route("POST", "/exec/{id}/resize", resize),
)
