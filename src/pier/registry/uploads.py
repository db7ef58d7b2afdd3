"""The writing half of a registry's HTTP interface (OCI distribution-spec 1.1, "Push"): blobs and manifests of one
repository at one address.

*Theory of operation.* An upload is a session at an address that the registry gives and may change with every answer;
it may lie at another host, which never sees the `Authorization` header. A blob goes in one PATCH or
several; when one breaks off, the session tells how much it has, and the next carries on there. A PUT with the digest
ends it.
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import quote, urljoin, urlsplit

import aiohttp

from pier.registry.authorization import Authorization
from pier.registry.failures import Refused, push_failure_of
from pier.registry.origin import Content as Body
from pier.registry.origin import Origin, challenge_of
from pier.registry.registries import Endpoint, Registries
from pier.spec import digests
from pier.spec.credentials import Credentials
from pier.spec.errors import Unauthorized, Unavailable
from pier.spec.references import Reference

_TIMEOUT = aiohttp.ClientTimeout(total=None, connect=30, sock_connect=15, sock_read=300)
_MAX_REDIRECTS = 5
_MAX_LOCATION = 16 << 10
_REDIRECTS = frozenset((307, 308))  # the only ones that keep the method and the body
_USER_AGENT = "pier"

Content = Callable[[int, int], AsyncIterator[bytes]]  # the bytes from an offset to an end; called for each attempt


class TooLarge(Refused):
    """The registry, or a proxy before it, takes no request of this size."""


class Uploads:
    """One repository to write to. Use it as an asynchronous context manager.

    `mounts` are the repositories of the same registry from which blobs may be taken. `least_piece`: the bytes that a
    piece of a blob must have unless it is the last one, as the registry says when an upload begins.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reference: Reference,
        registries: Registries,
        credentials: Credentials | None,
        *,
        mounts: Sequence[str] = (),
    ) -> None:
        self._endpoint = endpoint
        self.least_piece = 0
        self._blobs = f"{endpoint.base}/v2/{reference.path}/blobs/"
        self._manifests = f"{endpoint.base}/v2/{reference.path}/manifests/"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=64),
            timeout=_TIMEOUT,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": _USER_AGENT},
        )
        self._authorization = Authorization(
            endpoint, reference.path, registries, credentials, self._session, actions="pull,push", mounts=mounts
        )
        self._origin = Origin(endpoint, registries, self._authorization, self._session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def greet(self) -> None:
        """Find out whether this address answers, and get what it asks for, once for all uploads to come."""
        async with self._ask("GET", f"{self._endpoint.base}/v2/", accepted=(200, 404)):
            return

    async def has_blob(self, digest: str) -> bool:
        """Whether the repository has the blob."""
        async with self._ask("HEAD", self._blobs + digests.check(digest), accepted=(200, 404)) as response:
            return response.status == 200

    async def begin(self, digest: str, source: str = "") -> str:
        """Begin an upload; its address.

        With `source`, a repository of the same registry that should have the blob: "" when it was taken from there.
        """
        query = f"?mount={quote(digests.check(digest), safe='')}&from={quote(source, safe='')}" if source else ""
        accepted = (201, 202) if source else (202,)
        async with self._ask("POST", f"{self._blobs}uploads/{query}", accepted=accepted) as response:
            if response.status == 201:
                return ""
            least = response.headers.get("OCI-Chunk-Min-Length", "")
            self.least_piece = int(least) if least.isascii() and least.isdigit() and len(least) < 16 else 0
            return self._location(response)

    async def send(self, location: str, content: Content, offset: int, end: int, *, whole: int) -> str:
        """Send the bytes from `offset` to `end` of `whole`; where the upload goes on. TooLarge when those are too many
        for one request.
        """
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(end - offset)}
        if offset or end < whole:
            headers["Content-Range"] = f"{offset}-{end - 1}"
        async with self._ask(
            "PATCH", location, headers, content=lambda: content(offset, end), accepted=(202, 204, 413)
        ) as response:
            if response.status == 413:
                raise TooLarge(f"the registry takes no request of {end - offset} bytes: 413 {response.reason}")
            return self._location(response)

    async def state(self, location: str) -> tuple[str, int]:
        """Where an upload that broke off goes on, and how many bytes it has. NotFound when it is not known any more."""
        async with self._ask("GET", location, accepted=(204, 202)) as response:
            end = response.headers.get("Range", "").removeprefix("bytes=").partition("-")[2]
            received = int(end) + 1 if end.isdecimal() and end != "0" else 0
            return self._location(response), received

    async def finish(self, location: str, digest: str) -> None:
        """End an upload: the registry verifies the digest."""
        url = f"{location}{'&' if urlsplit(location).query else '?'}digest={quote(digest, safe='')}"
        async with self._ask("PUT", url, {"Content-Length": "0"}, accepted=(201, 204)):
            return

    async def put_document(self, digest: str, content: bytes) -> None:
        """A small blob, in one request after the session's begin."""
        location = await self.begin(digest)
        url = f"{location}{'&' if urlsplit(location).query else '?'}digest={quote(digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream"}
        async with self._ask("PUT", url, headers, content=content, accepted=(201, 204)):
            return

    async def put_manifest(self, name: str, raw: bytes, media_type: str) -> None:
        """Give a manifest or an index a tag, or keep it by its digest. Unavailable when the registry changed it."""
        async with self._ask(
            "PUT", self._manifests + name, {"Content-Type": media_type}, content=raw, accepted=(201, 202, 200)
        ) as response:
            kept = response.headers.get("Docker-Content-Digest", "")
        if digests.is_digest(kept) and kept != digests.of(raw):
            raise Unavailable(f"the registry keeps another manifest ({kept}) than was pushed ({digests.of(raw)})")

    def _location(self, response: aiohttp.ClientResponse) -> str:
        """The address of the upload; Unavailable where the answer gives none that may be used."""
        given = response.headers.get("Location", "")
        if not given:
            return str(response.url)
        target = urljoin(str(response.url), given)
        self._check(target)
        return target

    def _check(self, target: str) -> None:
        if not self._origin.may_lead_to(target) or len(target) > _MAX_LOCATION:
            parts = urlsplit(target)
            raise Unavailable(f"{self._endpoint.host}: refused to upload to {parts.scheme}://{parts.netloc[:200]}")

    @contextlib.asynccontextmanager
    async def _ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        content: Body = None,
        accepted: Sequence[int],
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request: answers a challenge once, follows redirects, turns a refusal into an error."""
        response = await self._origin.send(method, url, headers, content)
        try:
            if response.status == 401:
                challenge = challenge_of(response)
                if challenge is not None and self._origin.is_own(str(response.url)):
                    if not await self._authorization.answer(challenge):
                        raise Unauthorized("no basic auth credentials")
                    response.release()
                    response = await self._origin.send(method, url, headers, content)
            for _ in range(_MAX_REDIRECTS):
                if response.status not in _REDIRECTS:
                    break
                target = self._location(response)
                response.release()
                response = await self._origin.send(method, target, headers, content)
            if response.status not in accepted:
                raise await push_failure_of(response)
            yield response
        finally:
            response.release()
