"""The endpoints of containers: queries and bodies in, the engine's answers out."""

import re
from collections.abc import AsyncIterator

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Answer, Streaming, Taken
from pier.api.router import Route
from pier.engine.attaching import AttachQuery
from pier.engine.engine import Engine
from pier.engine.listing import ListQuery
from pier.engine.logs import parse_query
from pier.engine.waiting import answer
from pier.http import headers
from pier.spec.containers import CreateRequest, UpdateConfig
from pier.spec.errors import InvalidParameter

_SIZE = re.compile(r"[0-9]{1,5}", re.ASCII)


async def create(request: Request, engine: Engine) -> Answer:
    body = await request.required_json(CreateRequest)
    name, platform = request.query.string("name"), request.query.string("platform")
    created = await engine.containers.create(body, name or None, platform=platform)
    return responses.json(created, 201)


async def list_(request: Request, engine: Engine) -> Answer:
    query = request.query
    wanted = ListQuery(
        all=query.boolean("all"), limit=query.integer("limit"), size=query.boolean("size"), filters=query.filters()
    )
    return responses.json(await engine.containers.list(wanted))


async def inspect(request: Request, engine: Engine) -> Answer:
    return responses.json(await engine.containers.inspect(request["name"], size=request.query.boolean("size")))


async def start(request: Request, engine: Engine) -> Answer:
    if request.query.string("checkpoint"):
        raise InvalidParameter("checkpoints are not supported")
    await engine.containers.start(request["name"], detach_keys=request.query.string("detachKeys"))
    return responses.empty()


async def stop(request: Request, engine: Engine) -> Answer:
    query = request.query
    await engine.containers.stop(request["name"], timeout=query.optional_integer("t"), signal=query.string("signal"))
    return responses.empty()


async def restart(request: Request, engine: Engine) -> Answer:
    query = request.query
    await engine.containers.restart(request["name"], timeout=query.optional_integer("t"), signal=query.string("signal"))
    return responses.empty()


async def kill(request: Request, engine: Engine) -> Answer:
    await engine.containers.kill(request["name"], request.query.string("signal"))
    return responses.empty()


async def pause(request: Request, engine: Engine) -> Answer:
    await engine.containers.pause(request["name"])
    return responses.empty()


async def unpause(request: Request, engine: Engine) -> Answer:
    await engine.containers.unpause(request["name"])
    return responses.empty()


async def wait(request: Request, engine: Engine) -> Answer:
    """The head goes out at once: clients start a container only when they know that its end will be told."""
    outcome = engine.containers.wait(request["name"], request.query.string("condition"))

    async def body() -> AsyncIterator[bytes]:
        try:
            yield responses.encode(answer(await outcome))
        finally:
            outcome.cancel()

    return Streaming(headers.JSON, body(), head_first=True)


async def remove(request: Request, engine: Engine) -> Answer:
    query = request.query
    await engine.containers.remove(
        request["name"], force=query.boolean("force"), volumes=query.boolean("v"), links=query.boolean("link")
    )
    return responses.empty()


async def rename(request: Request, engine: Engine) -> Answer:
    await engine.containers.rename(request["name"], request.query.string("name"))
    return responses.empty()


async def resize(request: Request, engine: Engine) -> Answer:
    await engine.containers.resize(request["name"], *window_size(request))
    return responses.empty(200)


def window_size(request: Request) -> tuple[int, int]:
    """Rows and columns of a resize."""
    found = [request.query.string(name) for name in ("h", "w")]
    for text in found:
        if _SIZE.fullmatch(text) is None or int(text) > 65535:
            raise InvalidParameter(f'strconv.Atoi: parsing "{text}": invalid syntax')
    return int(found[0]), int(found[1])


async def update(request: Request, engine: Engine) -> Answer:
    body = await request.required_json(UpdateConfig)
    return responses.json(await engine.containers.update(request["name"], body))


async def top(request: Request, engine: Engine) -> Answer:
    return responses.json(await engine.containers.top(request["name"], request.query.string("ps_args")))


async def logs(request: Request, engine: Engine) -> Answer:
    query = request.query
    wanted = parse_query(
        stdout=query.boolean("stdout"),
        stderr=query.boolean("stderr"),
        follow=query.boolean("follow"),
        show_times=query.boolean("timestamps"),
        details=query.boolean("details"),
        tail=query.string("tail"),
        since=query.string("since"),
        until=query.string("until"),
    )
    container = engine.containers.find(request["name"])
    pieces = engine.containers.logs(request["name"], wanted)
    return Streaming(stream_type(request, raw=container.record.config.Tty), pieces, head_first=True)


def stream_type(request: Request, *, raw: bool) -> str:
    """The media type of a container's stream: since 1.42 its name tells whether it is framed."""
    if request.version < (1, 42):
        return headers.RAW_STREAM
    return headers.RAW_STREAM if raw else headers.MULTIPLEXED_STREAM


async def stats(request: Request, engine: Engine) -> Answer:
    query = request.query
    samples = engine.containers.stats(
        request["name"], stream=query.boolean("stream", default=True), one_shot=query.boolean("one-shot")
    )

    async def body() -> AsyncIterator[bytes]:
        async for sample in samples:
            yield responses.encode(sample)

    return Streaming(headers.JSON, body())


async def changes(request: Request, engine: Engine) -> Answer:
    return responses.json(await engine.containers.changes(request["name"]))


async def attach(request: Request, engine: Engine) -> Answer:
    container = engine.containers.find(request["name"])
    takeover = request.takeover(stream_type(request, raw=container.record.config.Tty))
    await engine.containers.attach(request["name"], _attach_query(request), takeover)
    return Taken()


async def attach_websocket(request: Request, engine: Engine) -> Answer:
    container = engine.containers.find(request["name"])
    takeover = request.websocket(framed=not container.record.config.Tty)
    await engine.containers.attach(request["name"], _attach_query(request), takeover)
    await takeover.served()
    return Taken()


def _attach_query(request: Request) -> AttachQuery:
    query = request.query
    return AttachQuery(
        stream=query.boolean("stream"),
        logs=query.boolean("logs"),
        stdin=query.boolean("stdin"),
        stdout=query.boolean("stdout"),
        stderr=query.boolean("stderr"),
        detach_keys=query.string("detachKeys"),
    )


async def prune(request: Request, engine: Engine) -> Answer:
    return responses.json(await engine.containers.prune(request.query.filters()))


ROUTES: tuple[Route, ...] = (
    Route("GET", "/containers/json", list_),
    Route("POST", "/containers/create", create),
    Route("POST", "/containers/prune", prune, since="1.25"),
    Route("GET", "/containers/{name}/json", inspect),
    Route("GET", "/containers/{name}/top", top),
    Route("GET", "/containers/{name}/logs", logs, cancellable=True),
    Route("GET", "/containers/{name}/changes", changes),
    Route("GET", "/containers/{name}/stats", stats, cancellable=True),
    Route("POST", "/containers/{name}/start", start),
    Route("POST", "/containers/{name}/stop", stop),
    Route("POST", "/containers/{name}/restart", restart),
    Route("POST", "/containers/{name}/kill", kill),
    Route("POST", "/containers/{name}/pause", pause),
    Route("POST", "/containers/{name}/unpause", unpause),
    Route("POST", "/containers/{name}/wait", wait, cancellable=True),
    Route("POST", "/containers/{name}/rename", rename),
    Route("POST", "/containers/{name}/resize", resize),
    Route("POST", "/containers/{name}/update", update),
    Route("POST", "/containers/{name}/attach", attach),
    Route("GET", "/containers/{name}/attach/ws", attach_websocket),
    Route("DELETE", "/containers/{name}", remove),
)
