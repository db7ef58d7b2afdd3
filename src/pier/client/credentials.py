"""Credentials for registries, from config.json or the helper program that it names, as the X-Registry-Auth header.

Source: docker/docker-credential-helpers' protocol: the verb as argument, the server on stdin, JSON on stdout.
"""

from __future__ import annotations

import base64
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

IDENTITY_TOKEN = "<token>"  # noqa: S105 - the user name that says that the secret is a token
NO_CREDENTIALS = ""


def header(configuration: Mapping[str, object], server: str) -> str:
    """The value of X-Registry-Auth; empty when nothing is known about the server."""
    found = lookup(configuration, server)
    if not found:
        return NO_CREDENTIALS
    document = json.dumps(found | {"serveraddress": server}, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(document).decode()


def lookup(configuration: Mapping[str, object], server: str) -> dict[str, str]:
    """User name and password, or an identity token, for a server."""
    helpers = configuration.get("credHelpers")
    helper = helpers.get(server) if isinstance(helpers, dict) else None
    helper = helper or configuration.get("credsStore")
    if isinstance(helper, str) and helper:
        return _ask(helper, server)
    auths = configuration.get("auths")
    if not isinstance(auths, dict):
        return {}
    entry = auths.get(server) or next((auths[key] for key in auths if _host(key) == _host(server)), None)
    return _decode(entry) if isinstance(entry, dict) else {}


def _host(server: str) -> str:
    return server.partition("://")[2].partition("/")[0] if "://" in server else server.partition("/")[0]


def _decode(entry: dict[str, Any]) -> dict[str, str]:
    if entry.get("identitytoken"):
        return {"identitytoken": str(entry["identitytoken"])}
    try:
        plain = base64.b64decode(entry.get("auth") or "").decode()
    except ValueError:
        return {}
    user, _, password = plain.partition(":")
    return {"username": user, "password": password.rstrip("\x00")} if user else {}


def _ask(helper: str, server: str) -> dict[str, str]:
    import subprocess  # only where a helper is configured

    try:
        answer = subprocess.run(
            [f"docker-credential-{helper}", "get"], input=server.encode(), capture_output=True, check=True
        )
        document = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return {}
    user, secret = str(document.get("Username", "")), str(document.get("Secret", ""))
    return {"identitytoken": secret} if user == IDENTITY_TOKEN else {"username": user, "password": secret}
