"""What a registry's refusal means, in Docker's words (moby distribution/errors.go)."""

import os
import ssl

import aiohttp
import msgspec

from pier.registry.bodies import read_at_most
from pier.spec.errors import Forbidden, InvalidParameter, NotFound, PierError, SystemFailure, Unauthorized, Unavailable
from pier.spec.references import Reference

_MAX_BODY = 64 << 10
# request timeout, too early
_FOR_LATER = frozenset({408, 425})
_DENIED = "requested access to the resource is denied"


class Busy(Unavailable):
    """The registry cannot answer now; `after`: the seconds that it asks to wait, 0 where it names none."""

    after: float = 0.0


class TooManyRequests(Busy):
    """The registry asks for patience."""


class Refused(InvalidParameter):
    """The registry takes the request for a wrong one: it will not take it the next time either."""


class _Item(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Body(msgspec.Struct):
    errors: list[_Item] = []


async def failure_of(response: aiohttp.ClientResponse, reference: Reference) -> PierError:
    """The error for a response that is not what was asked for."""
    code, message = await _read(response)
    text = f"{code.lower().replace('_', ' ')}: {message}" if code else f"unexpected status {response.status}"
    if response.status == 429 or response.status >= 500:
        return _busy(response, message)
    if code == "DENIED" or (response.status in (401, 403) and reference.domain == "docker.io"):
        denied = message if code == "DENIED" and message else _DENIED
        return NotFound(
            f"pull access denied for {reference.familiar_name}, repository does not exist or may require "
            f"'docker login': denied: {denied}"
        )
    if response.status == 401:
        return Unauthorized(text if code else "unauthorized: authentication required")
    if response.status == 404 and code == "NAME_UNKNOWN":
        return NotFound(f"repository {reference.familiar_name} not found: {text}")
    if response.status == 404:
        return NotFound(f"manifest for {reference.familiar} not found: {text}")
    return _refusal(response.status, text)


async def push_failure_of(response: aiohttp.ClientResponse) -> PierError:
    """The error for a push that is refused, in Docker's words."""
    code, message = await _read(response)
    text = f"{code.lower().replace('_', ' ')}: {message}" if code else f"unexpected status {response.status}"
    if response.status == 429 or response.status >= 500:
        return _busy(response, message)
    if response.status == 401:
        return Unauthorized(text if code else "unauthorized: authentication required")
    if response.status == 403 or code == "DENIED":
        return Forbidden(text if code else f"denied: {_DENIED}")
    if response.status == 404:
        return NotFound(text)
    return _refusal(response.status, text)


def too_many_requests(message: str = "") -> TooManyRequests:
    """The error for a 429, in Docker's words."""
    return TooManyRequests(f"toomanyrequests: {message or 'too many requests'}")


def _busy(response: aiohttp.ClientResponse, message: str) -> Busy:
    """The error for a 429 or a 5xx, with its `Retry-After` (RFC 9110, 10.2.3) where that is a number of seconds."""
    error = Busy(f"received unexpected HTTP status: {response.status} {response.reason}")
    if response.status == 429:
        error = too_many_requests(message)
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        error.after = float(text[:6])
    return error


def _refusal(status: int, text: str) -> PierError:
    """The error for any other status that is no success."""
    if status == 403:
        return Forbidden(text)
    if status in _FOR_LATER:
        return Unavailable(text)
    return Refused(text) if 400 <= status < 500 else SystemFailure(text)


async def _read(response: aiohttp.ClientResponse) -> tuple[str, str]:
    try:
        raw = await read_at_most(response, _MAX_BODY)
        body = msgspec.json.decode(raw, type=_Body)
    except (msgspec.DecodeError, aiohttp.ClientError, OSError, TimeoutError, UnicodeDecodeError):
        return "", ""
    if not body.errors:
        return "", ""
    code = "".join(character for character in body.errors[0].code[:60] if character.isalnum() or character == "_")
    return code, " ".join(body.errors[0].message[:500].split())


def unreachable(url: str, error: BaseException, method: str = "GET") -> PierError:
    """The error for a registry that cannot be reached or breaks off, in the form of Go's."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.SSLCertVerificationError):
        reason = "tls: failed to verify certificate: x509: " + str(getattr(error, "certificate_error", error))
    elif isinstance(error, aiohttp.ClientConnectorSSLError):
        reason = _tls_words(error)
    elif isinstance(error, aiohttp.ClientConnectorDNSError):
        reason = f"dial tcp: lookup {error.host}: no such host"
    elif isinstance(error, aiohttp.ClientConnectorError):
        words = os.strerror(error.os_error.errno).lower() if error.os_error.errno else str(error.os_error)
        reason = f"dial tcp {error.host}:{error.port}: connect: {words}"
    elif isinstance(error, TimeoutError):
        reason = "net/http: request canceled (Client.Timeout exceeded while awaiting headers)"
    elif isinstance(error, aiohttp.InvalidURL | ValueError):
        return InvalidParameter(f"invalid registry address {url[:200]!r}")
    else:
        reason = str(error) or type(error).__name__
    return Unavailable(f'{method.capitalize()} "{url[:500]}": {reason}')


def _tls_words(error: aiohttp.ClientConnectorSSLError) -> str:
    reason = getattr(error.os_error, "reason", None) or str(error.os_error)
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "http: server gave HTTP response to HTTPS client"
    return f"tls: {str(reason).lower().replace('_', ' ')}"
