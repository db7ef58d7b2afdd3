"""One address of a registry, as an origin: requests to it carry the `Authorization` header and are checked by the
registry's own certificates; wherever else a registry leads sees neither.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from pier.registry import challenges
from pier.registry.authorization import Authorization
from pier.registry.bodies import proxy_for
from pier.registry.challenges import Challenge
from pier.registry.failures import unreachable
from pier.registry.registries import Endpoint, Registries

Content = Callable[[], AsyncIterator[bytes]] | bytes | None  # a body; a function is called for each attempt


class Origin:
    """Sends requests to an endpoint and to where it leads, by one session."""

    def __init__(
        self,
        endpoint: Endpoint,
        registries: Registries,
        authorization: Authorization,
        session: aiohttp.ClientSession,
    ) -> None:
        self._endpoint = endpoint
        self._registries = registries
        self._authorization = authorization
        self._session = session

    def is_own(self, url: str) -> bool:
        """Whether a URL lies at the endpoint itself."""
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" == self._endpoint.base

    def may_lead_to(self, url: str) -> bool:
        """Whether the registry may send us there: over TLS, or in clear where it is itself reached so."""
        parts = urlsplit(url)
        return parts.scheme in ("https", self._endpoint.scheme) and bool(parts.hostname)

    async def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, content: Content = None
    ) -> aiohttp.ClientResponse:
        """One request; a redirect is an answer like any other. Raises Unavailable."""
        all_headers, parts, own = dict(headers or {}), urlsplit(url), self.is_own(url)
        if own and self._authorization.header:
            all_headers["Authorization"] = self._authorization.header
        tls = self._endpoint.tls if own else None
        if tls is None and parts.scheme == "https":
            tls = self._registries.tls(parts.netloc, verify=True)
        try:
            return await self._session.request(
                method,
                URL(url, encoded=True),
                headers=all_headers,
                data=content() if callable(content) else content,
                allow_redirects=False,
                ssl=tls or True,
                proxy=proxy_for(parts.scheme, parts.netloc),
            )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise unreachable(url, error, method) from error


def challenge_of(response: aiohttp.ClientResponse) -> Challenge | None:
    """What a 401 asks for, of what can be answered."""
    return challenges.choose(challenges.parse(response.headers.getall("WWW-Authenticate", [])))
