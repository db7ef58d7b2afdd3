"""A registry that is written to: it takes blobs and manifests as it is told, and remembers every request."""

import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.registry.fake import Seen, digest_of


@dataclass
class TakingRegistry:
    """Use it as an asynchronous context manager. `break_after` cuts the next uploads off after so many bytes."""

    token: str = ""  # when set, asked for with a Bearer challenge
    basic: bool = False  # a Basic challenge, whatever comes
    realm: str = ""
    break_after: list[int] = field(default_factory=list)
    most: int = 0  # bytes of the largest request that is taken; 0: any
    least: int = 0  # told as OCI-Chunk-Min-Length
    only_oauth: bool = False  # the token service knows no GET
    forgets: bool = False  # an upload that broke off is not known any more
    elsewhere: str = ""  # the origin of the uploads' addresses
    refusal: int = 0  # what every upload's begin is answered with
    lies: bool = False  # about the digest of a manifest
    blobs: dict[str, bytes] = field(default_factory=dict)
    mountable: dict[str, str] = field(default_factory=dict)  # digest to the repository that has it
    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    uploads: dict[str, bytearray] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=1 << 30)
        route = application.router.add_route
        route("GET", "/v2/", self._greet)
        route("GET", "/token", self._token)
        route("POST", "/token", self._token)
        route("HEAD", "/v2/{name:.+}/blobs/{digest:sha256:.+}", self._head)
        route("POST", "/v2/{name:.+}/blobs/uploads/", self._begin)
        route("*", "/v2/{name:.+}/blobs/uploads/{id}", self._upload)
        route("PUT", "/v2/{name:.+}/manifests/{reference}", self._manifest)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    def methods(self) -> list[str]:
        """The methods of all requests, in order."""
        return [seen.method for seen in self.seen]

    def _check(self, request: web.Request) -> None:
        self.seen.append(Seen(request.host, request.method, request.path_qs, dict(request.headers)))
        if self.basic:
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="fake"'})
        if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
            realm = self.realm or f"http://{self.address}/token"
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": f'Bearer realm="{realm}",service="fake"'})

    async def _greet(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.json_response({})

    async def _token(self, request: web.Request) -> web.Response:
        if self.only_oauth and request.method == "GET":
            raise web.HTTPMethodNotAllowed("GET", ["POST"])
        query = request.path_qs + (await request.text() if request.method == "POST" else "")
        self.seen.append(Seen(request.host, request.method, query, dict(request.headers)))
        return web.json_response({"token": self.token, "refresh_token": "from-now-on"})

    async def _head(self, request: web.Request) -> web.Response:
        self._check(request)
        return web.Response(status=200 if request.match_info["digest"] in self.blobs else 404)

    async def _begin(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.refusal:
            raise web.HTTPForbidden(text=json.dumps({"errors": [{"code": "DENIED", "message": "not for you"}]}))
        digest = request.query.get("mount", "")
        if digest and self.mountable.get(digest) == request.query.get("from"):
            return web.Response(status=201)
        name = str(len(self.uploads))
        self.uploads[name] = bytearray()
        origin = self.elsewhere or f"http://{self.address}"
        told = {"OCI-Chunk-Min-Length": str(self.least)} if self.least else {}
        return web.Response(status=202, headers={"Location": f"{origin}{request.path}{name}?_state=a%2Fb%3D", **told})

    async def _upload(self, request: web.Request) -> web.Response:
        self.seen.append(Seen(request.host, request.method, request.path_qs, dict(request.headers)))
        assert request.query["_state"] == "a/b="
        content = self.uploads.get(request.match_info["id"])
        if content is None or (request.method == "GET" and self.forgets):
            raise web.HTTPNotFound
        if request.method == "GET":
            return self._state(request, content, 204)
        await self._take(request, content)
        if request.method == "PATCH":
            return self._state(request, content, 202)
        if digest_of(bytes(content)) != request.query["digest"]:
            raise web.HTTPBadRequest(text=json.dumps({"errors": [{"code": "DIGEST_INVALID", "message": "other"}]}))
        self.blobs[request.query["digest"]] = bytes(content)
        return web.Response(status=201)

    async def _take(self, request: web.Request, content: bytearray) -> None:
        if self.most and (request.content_length or 0) > self.most:
            raise web.HTTPRequestEntityTooLarge(self.most, request.content_length or 0)
        if self.least and request.method == "PATCH":
            begin = int(request.headers.get("Content-Range", "0-").partition("-")[0])
            assert begin == len(content)
        limit = self.break_after.pop(0) if self.break_after and request.method == "PATCH" else None
        start = len(content)
        async for piece in request.content.iter_any():
            content += piece
            if limit is not None and len(content) - start >= limit:
                del content[start + limit :]
                assert request.transport
                request.transport.abort()
                raise web.HTTPServiceUnavailable

    def _state(self, request: web.Request, content: bytearray, status: int) -> web.Response:
        headers = {"Range": f"0-{max(len(content) - 1, 0)}", "Location": request.path_qs}
        return web.Response(status=status, headers=headers)

    async def _manifest(self, request: web.Request) -> web.Response:
        self._check(request)
        raw = await request.read()
        self.manifests[request.match_info["reference"]] = raw, request.headers["Content-Type"]
        told = digest_of(b"another") if self.lies else digest_of(raw)
        return web.Response(status=201, headers={"Docker-Content-Digest": told})
