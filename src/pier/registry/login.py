"""Whether a registry takes a user's credentials (`docker login`): ask its base address, answer a challenge once."""

from http import HTTPStatus

import aiohttp

from pier.registry import challenges
from pier.registry.authorization import Authorization
from pier.registry.bodies import proxy_for
from pier.registry.failures import too_many_requests, unreachable
from pier.registry.registries import Endpoint, Registries
from pier.spec.credentials import Credentials
from pier.spec.errors import PierError, Unauthorized, Unavailable
from pier.spec.references import DEFAULT_DOMAIN

_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=15)
_KNOWN = frozenset(HTTPStatus)
_HUB = frozenset({"", "docker.io", "index.docker.io", "registry-1.docker.io"})


def domain_of(server: str) -> str:
    """The registry that a login names: a host, or the URL that Docker Hub's index has."""
    host = server.partition("://")[2] if "://" in server else server
    host = host.partition("/")[0]
    return DEFAULT_DOMAIN if host in _HUB else host


async def check(registries: Registries, credentials: Credentials) -> str:
    """Return when the registry takes the credentials: the token that stands for them from now on, or nothing.

    Raises Unauthorized when they are not taken, Unavailable when none answers.
    """
    domain = domain_of(credentials.server)
    failure: PierError | None = None
    for endpoint in await registries.endpoints(domain):
        if endpoint.mirror:
            continue
        try:
            return await _ask(endpoint, registries, credentials)
        except Unavailable as error:
            failure = error  # Docker tells the last one
    raise failure or Unavailable(f"no address of {domain} to log in at")


async def _ask(endpoint: Endpoint, registries: Registries, credentials: Credentials) -> str:
    url = f"{endpoint.base}/v2/"
    async with aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar()) as session:
        authorization = Authorization(endpoint, "", registries, credentials, session, offline=True)
        status, challenge = await _get(session, endpoint, url, {})
        if challenge is not None:
            await _answer(authorization, challenge, url)
            status, _ = await _get(session, endpoint, url, {"Authorization": authorization.header})
    if status == 401:
        raise Unauthorized(f"login attempt to {url} failed with status: 401 Unauthorized")
    if status == 429:
        raise too_many_requests()
    if status != 200:
        raise Unavailable(f"login attempt to {url} failed with status: {status} {_phrase(status)}".rstrip())
    return authorization.identity_token


async def _answer(authorization: Authorization, challenge: challenges.Challenge, url: str) -> None:
    """Get what a challenge asks for. Unauthorized in Docker's words when there is nothing, or it is not taken."""
    try:
        if await authorization.answer(challenge):
            return
    except Unauthorized as error:
        raise Unauthorized(f'Get "{url}": {error.message}') from error
    raise Unauthorized(f'Get "{url}": no basic auth credentials')


def _phrase(status: int) -> str:
    """What HTTP calls a status; empty for one that it does not know."""
    return HTTPStatus(status).phrase if status in _KNOWN else ""


async def _get(
    session: aiohttp.ClientSession, endpoint: Endpoint, url: str, headers: dict[str, str]
) -> tuple[int, challenges.Challenge | None]:
    """The status, and for a 401 the challenge that we can answer."""
    proxy = proxy_for(endpoint.scheme, endpoint.host)
    try:
        async with session.get(
            url, headers=headers, allow_redirects=False, ssl=endpoint.tls or True, proxy=proxy
        ) as response:
            if response.status != 401:
                return response.status, None
            asked = challenges.parse(response.headers.getall("WWW-Authenticate", []))
            return response.status, challenges.choose(asked)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise unreachable(url, error) from error
