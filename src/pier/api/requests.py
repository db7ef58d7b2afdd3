"""One request as handlers see it: path variables, query, headers, body; and the door to taking its connection over."""

import re
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from pier.api.parameters import Query
from pier.http import headers
from pier.spec import go_json
from pier.spec.errors import InvalidParameter

if TYPE_CHECKING:
    from pier.api.connection import Connection
    from pier.api.hijack import HttpTakeover
    from pier.api.websocket import WebSocketTakeover

_T = TypeVar("_T")

# A body that is held whole: the largest sensible container or build configuration is far below.
BODY_LIMIT = 16 << 20
_MEDIA_TYPE = re.compile(r"\s*([^\s;/]+/[^\s;/]+)\s*(?:;.*)?", re.DOTALL)


class Request:
    """A request whose route is known."""

    __slots__ = ("_raw", "connection", "headers", "method", "path", "query", "variables", "version")

    def __init__(
        self,
        raw: BaseRequest,
        connection: "Connection",
        version: tuple[int, ...],
        variables: Mapping[str, str],
    ) -> None:
        self._raw = raw
        self.connection = connection
        self.method = raw.method
        self.path, _, query = raw.raw_path.partition("?")
        self.version = version
        self.variables = variables
        self.query = Query(query)
        self.headers: Mapping[str, str] = raw.headers

    def __getitem__(self, variable: str) -> str:
        """A variable of the path, decoded."""
        return self.variables[variable]

    async def read(self) -> bytes:
        """The whole body, at most BODY_LIMIT bytes."""
        parts: list[bytes] = []
        size = 0
        async for part in self.body():
            parts.append(part)
            size += len(part)
            if size > BODY_LIMIT:
                raise InvalidParameter(f"the request's body is larger than {BODY_LIMIT} bytes")
        return b"".join(parts)

    async def body(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive. A broken one (bad chunks, cut short) is InvalidParameter."""
        self._invite()
        content = self._raw.content
        try:
            while part := await content.readany():
                yield part
        except (RequestPayloadError, ConnectionError) as error:
            raise InvalidParameter(f"unexpected EOF in the request's body: {error}") from None

    def _invite(self) -> None:
        """Answer `Expect: 100-continue`: the client waits with its body until then."""
        if self.headers.get("Expect", "").lower() == "100-continue" and not self._raw.content.is_eof():
            transport = self.connection.transport
            if transport is not None:
                transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def json(self, wire_type: type[_T]) -> _T:
        """The body as `wire_type` by Go's rules; an empty body is the type's zero value, as in Docker."""
        body = await self.read()
        self._check_media_type(has_body=bool(body))
        return go_json.decode(body, wire_type) if body else wire_type()

    async def required_json(self, wire_type: type[_T]) -> _T:
        """As `json`, where an empty body is an error."""
        body = await self.read()
        self._check_media_type(has_body=bool(body))
        return go_json.decode(body, wire_type)

    def _check_media_type(self, *, has_body: bool) -> None:
        media_type = self.headers.get("Content-Type", "")
        if not media_type and not has_body:
            return
        matched = _MEDIA_TYPE.fullmatch(media_type)
        if matched is None:
            reason = "mime: no media type" if not media_type.strip() else "mime: expected token after slash"
            raise InvalidParameter(f"malformed Content-Type header ({media_type}): {reason}")
        if matched[1].lower() != headers.JSON:
            raise InvalidParameter(f'unsupported Content-Type header ({media_type}): must be "{headers.JSON}"')

    def takeover(self, media_type: str) -> "HttpTakeover":
        """The right to take this connection over; `media_type` names what will flow (raw or multiplexed stream)."""
        from pier.api.hijack import HttpTakeover

        return HttpTakeover(self.connection, upgrade=self.wants_upgrade(), media_type=media_type)

    def websocket(self, *, framed: bool) -> "WebSocketTakeover":
        """The right to turn this connection into a WebSocket; `framed` output is sent without its frames."""
        from pier.api.websocket import WebSocketTakeover

        return WebSocketTakeover(self._raw, framed=framed)

    def wants_upgrade(self) -> bool:
        """True when the client asked for 101 (`Connection: Upgrade`, `Upgrade: tcp`)."""
        return self.headers.get("Upgrade", "").lower() == headers.UPGRADE_PROTOCOL
