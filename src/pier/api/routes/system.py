"""`/_ping`, `/version`, `/info`, `/events`, `/system/df`, `/auth`: the daemon and its host."""

import time
from typing import TYPE_CHECKING, ClassVar

import msgspec

from pier.api import responses
from pier.api.requests import Request
from pier.api.responses import Response, Streaming
from pier.api.router import Route
from pier.http import versions
from pier.spec import timestamps
from pier.spec.credentials import Credentials
from pier.spec.errors import InvalidParameter

if TYPE_CHECKING:
    from pier.engine.engine import Engine

_PING_HEADERS = {
    "Builder-Version": "1",
    "Swarm": "inactive",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
}
_DF_TYPES = frozenset({"container", "image", "volume", "build-cache"})


async def ping(request: Request, engine: "Engine") -> Response:
    """Alive: headers tell a client which versions and features to use."""
    del engine
    return responses.text("" if request.method == "HEAD" else "OK", headers=_PING_HEADERS)


async def version(request: Request, engine: "Engine") -> Response:
    """Versions of the engine and its parts."""
    del request
    document = engine.system.version(versions.text(versions.MAXIMUM), versions.text(versions.MINIMUM))
    return responses.json(document)


async def info(request: Request, engine: "Engine") -> Response:
    """The daemon and its host."""
    document = await engine.system.info()
    if request.version < (1, 42):
        document |= {"KernelMemory": False, "BridgeNfIptables": False, "BridgeNfIp6tables": False}
    if request.version < (1, 49):
        document |= {name: {"ID": "", "Expected": ""} for name in ("ContainerdCommit", "RuncCommit", "InitCommit")}
    return responses.json(document)


async def events(request: Request, engine: "Engine") -> Streaming:
    """Events as they happen, one JSON document each; the head goes out at once."""
    since, until = (_moment(request, name) for name in ("since", "until"))
    if since is not None and until is not None and until < since:
        raise InvalidParameter(
            f"`since` time ({request.query.string('since')}) cannot be after `until` time "
            f"({request.query.string('until')})"
        )
    stream = engine.events.subscribe(since, until, request.query.filters())
    return responses.json_lines(stream, head_first=True, end=b"\n")


def _moment(request: Request, name: str) -> int | None:
    text = request.query.string(name)
    return timestamps.parse(text, time.time_ns()) if text else None


async def disk_usage(request: Request, engine: "Engine") -> Response:
    """What takes room; `type` limits it."""
    asked = request.query.all("type")
    for name in asked:
        if name not in _DF_TYPES:
            raise InvalidParameter(f"unknown object type: {name}")
    document = await engine.system.disk_usage(frozenset(asked) or _DF_TYPES)
    if request.version < (1, 44):
        document["Images"] = [{**image, "VirtualSize": image["Size"]} for image in document["Images"] or ()]
    return responses.json(document)


class AuthConfig(msgspec.Struct):
    """The body of `POST /auth`."""

    GO_NAME: ClassVar[str] = "registry.AuthConfig"

    username: str = ""
    password: str = ""
    auth: str = ""
    email: str = ""
    serveraddress: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


async def auth(request: Request, engine: "Engine") -> Response:
    """Whether a registry takes a name and a password, for `docker login`."""
    body = await request.required_json(AuthConfig)
    given = Credentials(body.username, body.password, body.identitytoken, body.registrytoken, body.serveraddress)
    token = await engine.images.check_login(given)
    return responses.json({"Status": "Login Succeeded", "IdentityToken": token})


ROUTES = (
    Route("GET", "/_ping", ping),
    Route("HEAD", "/_ping", ping),
    Route("GET", "/version", version),
    Route("GET", "/info", info),
    Route("GET", "/events", events, cancellable=True),
    Route("GET", "/system/df", disk_usage),
    Route("POST", "/auth", auth),
)
