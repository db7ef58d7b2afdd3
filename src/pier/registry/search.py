"""Searching an index of images (`GET /v1/search`, Docker Hub's), as moby's registry/search.go asks it."""

from urllib.parse import quote

import aiohttp
import msgspec

from pier.registry.bodies import proxy_for, read_at_most
from pier.registry.failures import too_many_requests, unreachable
from pier.registry.registries import Endpoint, Registries
from pier.spec.credentials import Credentials
from pier.spec.errors import InvalidParameter, PierError, Unauthorized, Unavailable

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=15)
_MAX_ANSWER = 8 << 20
_INDEX = "index.docker.io"


class Found(msgspec.Struct):
    """One repository, in the index's own words."""

    name: str = ""
    description: str | None = ""
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Answer(msgspec.Struct):
    results: list[Found] | None = None


def split(term: str) -> tuple[str, str]:
    """The index to ask and what to ask it: `ubuntu` is for Docker Hub, `registry.example/ubuntu` for its host."""
    if "://" in term:
        raise InvalidParameter("invalid repository name: repository name (" + term[:200] + ") should not have a scheme")
    host, slash, rest = term.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        return _INDEX, term
    return (_INDEX if host == "docker.io" else host), rest


async def search(term: str, limit: int, registries: Registries, credentials: Credentials | None) -> list[Found]:
    """The repositories that an index finds, at most `limit`."""
    domain, words = split(term)
    if domain == _INDEX and words.startswith("library/"):
        words = words.removeprefix("library/")
    failure: PierError | None = None
    for endpoint in await registries.endpoints(domain):
        if endpoint.mirror:
            continue
        try:
            return await _ask(endpoint, f"{endpoint.base}/v1/search?q={quote(words, safe='')}&n={limit}", credentials)
        except Unavailable as error:
            failure = failure if failure is not None and endpoint.scheme == "http" else error
    raise failure or Unavailable(f"no address of {domain} to search at")


async def _ask(endpoint: Endpoint, url: str, credentials: Credentials | None) -> list[Found]:
    headers = {"Authorization": credentials.basic} if credentials is not None and credentials.has_password else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(
                url,
                headers={**headers, "User-Agent": "pier"},
                allow_redirects=False,
                ssl=endpoint.tls or True,
                proxy=proxy_for(endpoint.scheme, endpoint.host),
            ) as response,
        ):
            raw, status = await read_at_most(response, _MAX_ANSWER), response.status
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise unreachable(url, error) from error
    if status == 401:
        raise Unauthorized(f"the index {endpoint.host} does not take the credentials")
    if status == 429:
        raise too_many_requests()
    if status != 200 or len(raw) > _MAX_ANSWER:
        raise Unavailable(f"Unexpected status code {status}")
    try:
        return msgspec.json.decode(raw, type=_Answer).results or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unavailable(f"error decoding registry search results of {endpoint.host}") from None
