"""A registry's HTTP interface (OCI distribution-spec 1.1) for one repository at one address: manifests and blobs,
bounded and verified.

Redirects are followed by hand, because the `Authorization` header ends at the registry's origin: a storage service or
an attacker that a redirect names never sees it.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Self
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from pier.registry.authorization import Authorization
from pier.registry.bodies import read_at_most
from pier.registry.failures import failure_of, unreachable
from pier.registry.origin import Origin, challenge_of
from pier.registry.registries import Endpoint, Registries
from pier.spec import digests, manifests
from pier.spec.credentials import Credentials
from pier.spec.errors import InvalidParameter, Unavailable
from pier.spec.manifests import Document
from pier.spec.references import Reference

_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=30, sock_connect=15, sock_read=60)
_MAX_REDIRECTS = 5
_MAX_PAGES = 1000
_PIECE = 256 << 10
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_USER_AGENT = "pier"


class Repository:
    """One repository at one address. Use it as an asynchronous context manager."""

    def __init__(
        self, endpoint: Endpoint, reference: Reference, registries: Registries, credentials: Credentials | None
    ) -> None:
        self._endpoint = endpoint
        self._reference = reference
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=8),
            timeout=_TIMEOUT,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT},
            max_line_size=64 << 10,
            max_field_size=64 << 10,
        )
        # A mirror is not the registry that the user has an account with.
        own = None if endpoint.mirror else credentials
        self._authorization = Authorization(endpoint, reference.path, registries, own, self._session)
        self._origin = Origin(endpoint, registries, self._authorization, self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def manifest(self, name: str) -> Document:
        """The manifest or index of a tag or digest. A digest is verified. NotFound in Docker's words."""
        path = f"/v2/{self._reference.path}/manifests/{name}"
        async with self._get(path, {"Accept": manifests.ACCEPT}) as response:
            raw = await _bounded(response, manifests.MAX_BYTES, "manifest")
            media_type = response.headers.get("Content-Type", "").partition(";")[0].strip()
            promised = response.headers.get("Docker-Content-Digest", "")
        digest = digests.of(raw)
        if digests.is_digest(name) and digest != name:
            raise InvalidParameter(f"manifest verification failed for digest {name}")
        if digests.is_digest(promised) and digest != promised:
            raise InvalidParameter(f"manifest verification failed for digest {promised}")
        return Document(raw, media_type, digest)

    async def tags(self) -> list[str]:
        """Every tag of the repository, page by page."""
        path, found = f"/v2/{self._reference.path}/tags/list", list[str]()
        for _ in range(_MAX_PAGES):
            async with self._get(path, {}) as response:
                page = _tags(await _bounded(response, manifests.MAX_BYTES, "list of tags"))
                following = response.links.get("next")
            found += page
            if following is None:
                break
            target = urlsplit(str(following["url"]))
            path = f"{target.path}?{target.query}"
        return found

    async def document(self, digest: str, size: int, limit: int) -> bytes:
        """A small blob as a whole, verified."""
        if size > limit:
            raise InvalidParameter(f"blob {digest} of {size} bytes is larger than {limit} bytes")
        async with self._get(f"/v2/{self._reference.path}/blobs/{digests.check(digest)}", {}) as response:
            raw = await _bounded(response, size, f"blob {digest}")
        if digests.of(raw) != digest:
            raise InvalidParameter(f"image configuration verification failed for digest {digest}")
        return raw

    @contextlib.asynccontextmanager
    async def blob(self, digest: str, offset: int) -> AsyncIterator[tuple[bool, AsyncIterator[bytes]]]:
        """A blob from `offset` on: whether the registry carries on there (else it begins anew), and the pieces."""
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        async with self._get(f"/v2/{self._reference.path}/blobs/{digests.check(digest)}", headers) as response:
            continues = response.status == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {offset}-"
            )
            if response.status == 206 and not continues:
                raise Unavailable(f"blob {digest}: the registry answered another range than was asked for")
            yield continues, self._pieces(response)

    async def _pieces(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        try:
            async for piece in response.content.iter_chunked(_PIECE):
                yield piece
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise unreachable(str(response.url), error) from error

    @contextlib.asynccontextmanager
    async def _get(self, path: str, headers: Mapping[str, str]) -> AsyncIterator[aiohttp.ClientResponse]:
        """GET below the registry's origin: answers a challenge once, follows redirects, turns a refusal into an
        error.
        """
        url = self._endpoint.base + path
        response = await self._origin.send("GET", url, headers)
        try:
            if response.status == 401:
                challenge = challenge_of(response)
                if challenge is not None and await self._authorization.answer(challenge):
                    response.release()
                    response = await self._origin.send("GET", url, headers)
            response = await self._follow(response, headers)
            if response.status not in (200, 206):
                raise await failure_of(response, self._reference)
            yield response
        finally:
            response.close()

    async def _follow(self, response: aiohttp.ClientResponse, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        for _ in range(_MAX_REDIRECTS):
            if response.status not in _REDIRECTS:
                return response
            target = urljoin(str(response.url), response.headers.get("Location", ""))
            if not self._origin.may_lead_to(target):
                parts = urlsplit(target)
                raise Unavailable(f"{self._endpoint.host}: refused a redirect to {parts.scheme}://{parts.netloc}")
            response.release()
            response = await self._origin.send("GET", target, headers)
        response.close()
        raise Unavailable(f"{self._endpoint.host}: stopped after {_MAX_REDIRECTS} redirects")


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


def _tags(raw: bytes) -> list[str]:
    try:
        return msgspec.json.decode(raw, type=_Tags).tags or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidParameter("invalid list of tags") from None


async def _bounded(response: aiohttp.ClientResponse, limit: int, what: str) -> bytes:
    try:
        content = await read_at_most(response, limit)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise unreachable(str(response.url), error) from error
    if len(content) > limit:
        raise InvalidParameter(f"{what} is larger than {limit} bytes")
    return content
