"""Bodies of answers, never larger than the caller allows; and the proxy on the way, from the daemon's environment."""

import os
import urllib.request

import aiohttp

_PIECE = 64 << 10


async def read_at_most(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body as a whole, or its first `limit` + 1 bytes when it is larger than `limit`."""
    content = bytearray()
    while len(content) <= limit and (piece := await response.content.read(min(_PIECE, limit + 1 - len(content)))):
        content += piece
    return bytes(content)


def proxy_for(scheme: str, host: str) -> str | None:
    """The proxy for an address; `.netrc` is never read."""
    if not any(name.lower().endswith("_proxy") for name in os.environ) or urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)
