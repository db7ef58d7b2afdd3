"""Answers a registry's challenge: a token from the service that it names, or the user's password to the registry
itself.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
import msgspec

from pier.registry import challenges
from pier.registry.bodies import proxy_for, read_at_most
from pier.registry.challenges import Challenge
from pier.registry.failures import too_many_requests, unreachable
from pier.registry.registries import Endpoint, Registries, bare_host
from pier.spec.credentials import Credentials
from pier.spec.errors import Unauthorized, Unavailable

_MAX_ANSWER = 1 << 20
_CLIENT_ID = "docker"


class _NoSuchMethod(Unavailable):
    """The service has nothing at this address for the method that was used."""


class _Token(msgspec.Struct):
    token: str = ""
    access_token: str = ""
    refresh_token: str = ""


class Authorization:
    """The `Authorization` header for some scopes at one address. The header goes to that origin only.

    `offline`: ask for a token that stands for the user from now on, as a login does; it is then in `identity_token`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        path: str,
        registries: Registries,
        credentials: Credentials | None,
        session: aiohttp.ClientSession,
        *,
        actions: str = "pull",
        mounts: Sequence[str] = (),
        offline: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._scopes = [f"repository:{path}:{actions}"] if path else []
        self._scopes += [f"repository:{source}:pull" for source in mounts]
        self._offline = offline
        self.identity_token = ""
        self._registries = registries
        self._credentials = credentials
        self._session = session
        self.header = f"Bearer {credentials.registry_token}" if credentials and credentials.registry_token else ""

    async def answer(self, challenge: Challenge) -> bool:
        """Get what the challenge asks for; False when there is nothing to answer with."""
        if challenge.scheme == "basic":
            if self._credentials is None or not self._credentials.has_password:
                return False
            self.header = self._credentials.basic
            return True
        self.header = f"Bearer {await self._token(challenge)}"
        return True

    async def _token(self, challenge: Challenge) -> str:
        realm = challenge.parameters["realm"]
        credentials = self._credentials if await self._trusts(realm) else None
        service = challenge.parameters.get("service", "")
        if credentials is not None and credentials.identity_token:
            return await self._exchange(realm, service, credentials.identity_token)
        headers = {"Authorization": credentials.basic} if credentials is not None and credentials.has_password else {}
        query = [*(("scope", scope) for scope in self._scopes), *([("service", service)] if service else [])]
        if headers and credentials is not None:
            query += [("account", credentials.username), ("client_id", _CLIENT_ID)]
            query += [("offline_token", "true")] if self._offline else []
        try:
            return await self._ask("GET", realm, headers=headers, params=query)
        except _NoSuchMethod:
            if credentials is None or not credentials.has_password:
                raise
            return await self._grant(realm, service, credentials)

    async def _exchange(self, realm: str, service: str, token: str) -> str:
        return await self._post(realm, service, {"grant_type": "refresh_token", "refresh_token": token})

    async def _grant(self, realm: str, service: str, credentials: Credentials) -> str:
        """The password grant (RFC 6749, 4.3) of a service that knows OAuth 2 alone."""
        grant = {"grant_type": "password", "username": credentials.username, "password": credentials.password}
        return await self._post(realm, service, grant | ({"access_type": "offline"} if self._offline else {}))

    async def _post(self, realm: str, service: str, grant: dict[str, str]) -> str:
        scope = {"scope": " ".join(self._scopes)} if self._scopes else {}
        return await self._ask("POST", realm, data={**grant, "service": service, "client_id": _CLIENT_ID, **scope})

    async def _trusts(self, realm: str) -> bool:
        """Whether the user's credentials may go to the realm; Unavailable for one that must not be asked at all."""
        parts = urlsplit(realm)
        host = parts.hostname or ""
        insecure = await self._registries.is_insecure(parts.netloc)
        if parts.scheme not in ("https", "http") or not host or (parts.scheme == "http" and not insecure):
            raise Unavailable(f"{self._endpoint.host}: refused to get a token from {realm[:200]!r}")
        return challenges.may_receive_credentials(bare_host(self._endpoint.host), host)

    async def _ask(
        self,
        method: str,
        realm: str,
        *,
        headers: dict[str, str] | None = None,
        params: Sequence[tuple[str, str]] | None = None,
        data: dict[str, str] | None = None,
    ) -> str:
        parts = urlsplit(realm)
        insecure = await self._registries.is_insecure(parts.netloc)
        tls = self._registries.tls(parts.netloc, verify=not insecure)
        try:
            async with self._session.request(
                method,
                realm,
                headers=headers,
                params=params,
                data=data,
                allow_redirects=False,
                ssl=tls,
                proxy=proxy_for(parts.scheme, parts.netloc),
            ) as response:
                raw = await read_at_most(response, _MAX_ANSWER)
                status = response.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise unreachable(f"{parts.scheme}://{parts.netloc}{parts.path}", error) from error
        answer = _read(raw, status, realm)
        self.identity_token = answer.refresh_token if self._offline and _is_token(answer.refresh_token) else ""
        return answer.token or answer.access_token


def _read(raw: bytes, status: int, realm: str) -> _Token:
    if status in (401, 403):
        raise Unauthorized("unauthorized: incorrect username or password")
    if status == 429:
        raise too_many_requests()
    if status in (404, 405):
        raise _NoSuchMethod(f"token service {urlsplit(realm).netloc} answered {status}")
    if status != 200:
        raise Unavailable(f"token service {urlsplit(realm).netloc} answered {status}")
    try:
        answer = msgspec.json.decode(raw, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Unavailable(f"token service {urlsplit(realm).netloc} gave no token") from None
    if not _is_token(answer.token or answer.access_token):
        raise Unavailable(f"token service {urlsplit(realm).netloc} gave no token")
    return answer


def _is_token(text: str) -> bool:
    """Whether a text may stand in a header."""
    return bool(text) and all(" " < character <= "~" for character in text)
