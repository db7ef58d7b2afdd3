"""A registry that does what it is told, rightly or wrongly, and remembers every request.

Plain HTTP on loopback, in the test's own loop.
"""

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from aiohttp import web

from pier.spec.manifests import DOCKER_CONFIG, DOCKER_LAYER, DOCKER_MANIFEST


def digest_of(content: bytes) -> str:
    """The sha256 digest of some bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


@dataclass
class Seen:
    """One request as it came."""

    host: str
    method: str
    path: str
    headers: dict[str, str]


@dataclass
class FakeRegistry:
    """Serve `manifests` (by name or digest) and `blobs` (by digest). Use it as an asynchronous context manager."""

    manifests: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    token: str = ""  # when set, asked for with a Bearer challenge
    password: str = ""  # when set, asked for with a Basic challenge, as user:password
    realm: str = ""
    account: str = ""  # what the token service asks for, as user:password
    break_after: list[int] = field(default_factory=list)  # bytes after which the next blob answers break off
    ranges: bool = True
    redirect: str = ""  # where blobs are: another origin
    refusal: tuple[int, str] | None = None  # what every blob and manifest is answered with: status and body
    port: int = 0

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_get("/token", self._token)
        application.router.add_get("/v2/{name:.+}/manifests/{reference}", self._manifest)
        application.router.add_get("/v2/{name:.+}/blobs/{digest}", self._blob)
        application.router.add_get("/elsewhere/{digest}", self._elsewhere)
        self._runner = web.AppRunner(application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
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

    def add(self, name: str, layers: list[bytes], *, media_type: str = DOCKER_LAYER, **config: object) -> str:
        """Publish an image of tars under a tag; its manifest's digest."""
        blobs = [gzip.compress(layer, mtime=0) for layer in layers]
        diff_ids = [digest_of(layer) for layer in layers]
        document = {
            "architecture": "amd64",
            "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            **config,
        }
        raw = json.dumps(document).encode()
        self.blobs |= {digest_of(blob): blob for blob in [raw, *blobs]}
        manifest = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST,
            "config": {"mediaType": DOCKER_CONFIG, "size": len(raw), "digest": digest_of(raw)},
            "layers": [{"mediaType": media_type, "size": len(blob), "digest": digest_of(blob)} for blob in blobs],
        }
        return self.publish(name, json.dumps(manifest).encode(), DOCKER_MANIFEST)

    def publish(self, name: str, raw: bytes, media_type: str) -> str:
        """Publish a manifest as it is; its digest."""
        self.manifests[name] = self.manifests[digest_of(raw)] = (raw, media_type)
        return digest_of(raw)

    def authorizations(self) -> list[str]:
        """Every `Authorization` that came, whatever for."""
        return [seen.headers["Authorization"] for seen in self.seen if "Authorization" in seen.headers]

    def _note(self, request: web.Request) -> None:
        self.seen.append(Seen(request.host, request.method, request.path_qs, dict(request.headers)))

    def _check(self, request: web.Request) -> None:
        self._note(request)
        if self.refusal is not None:
            raise _refused(*self.refusal)
        given = request.headers.get("Authorization", "")
        if self.token and given != f"Bearer {self.token}":
            realm = self.realm or f"http://{self.address}/token"
            challenge = f'Bearer realm="{realm}",service="fake",scope="repository:x:pull"'
            raise _denied(challenge)
        if self.password and given != _basic(self.password):
            raise _denied('Basic realm="fake"')

    async def _token(self, request: web.Request) -> web.Response:
        self._note(request)
        if self.account and request.headers.get("Authorization") != _basic(self.account):
            return web.Response(status=401)
        return web.json_response({"token": self.token})

    async def _manifest(self, request: web.Request) -> web.Response:
        self._check(request)
        found = self.manifests.get(request.match_info["reference"])
        if found is None:
            raise _error(web.HTTPNotFound, "MANIFEST_UNKNOWN", "manifest unknown")
        raw, media_type = found
        return web.Response(body=raw, headers={"Content-Type": media_type})

    async def _blob(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        digest = request.match_info["digest"]
        if self.redirect:
            raise web.HTTPTemporaryRedirect(f"{self.redirect}/elsewhere/{digest}")
        return await self._send(request, digest)

    async def _elsewhere(self, request: web.Request) -> web.StreamResponse:
        self._note(request)
        return await self._send(request, request.match_info["digest"])

    async def _send(self, request: web.Request, digest: str) -> web.StreamResponse:
        content = self.blobs.get(digest)
        if content is None:
            raise _error(web.HTTPNotFound, "BLOB_UNKNOWN", "blob unknown to registry")
        start = 0
        if self.ranges and "Range" in request.headers:
            start = int(request.headers["Range"].removeprefix("bytes=").rstrip("-"))
        response = web.StreamResponse(status=206 if start else 200)
        if start:
            response.headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        response.content_length = len(content) - start
        await response.prepare(request)
        if self.break_after and request.path.count("/blobs/"):
            await response.write(content[start : start + self.break_after.pop(0)])
            assert request.transport
            request.transport.close()
            return response
        await response.write(content[start:])
        return response


def _basic(account: str) -> str:
    import base64

    return "Basic " + base64.b64encode(account.encode()).decode()


def _denied(challenge: str) -> web.HTTPUnauthorized:
    body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]})
    return web.HTTPUnauthorized(text=body, headers={"WWW-Authenticate": challenge})


def _refused(status: int, body: str) -> web.HTTPException:
    refusal = web.HTTPException(text=body)
    refusal.set_status(status)
    return refusal


def _error(kind: type[web.HTTPNotFound], code: str, message: str) -> web.HTTPNotFound:
    return kind(text=json.dumps({"errors": [{"code": code, "message": message}]}))
