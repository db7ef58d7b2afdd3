"""Where logins are kept: in config.json, or by the helper program that it names, as docker's client keeps them.

Source: docker/docker-credential-helpers' protocol: the verb as argument, a document or the server on stdin.
"""

from __future__ import annotations

import base64
import json
import os

from pier.client.contexts import read_configuration
from pier.client.credentials import IDENTITY_TOKEN
from pier.spec.errors import SystemFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Login:
    """What is kept for one registry: a name with a password, or with a token in its place."""

    __slots__ = ("identity_token", "password", "username")

    def __init__(self, username: str, password: str, identity_token: str = "") -> None:
        self.username = username
        self.password = password
        self.identity_token = identity_token


class Logins:
    """The logins of one configuration directory."""

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "config.json")
        self._configuration = read_configuration(directory)

    def helper(self, server: str) -> str:
        """The name of the program that keeps a server's login, empty where config.json does."""
        helpers = self._configuration.get("credHelpers")
        named = helpers.get(server) if isinstance(helpers, dict) else None
        found = named or self._configuration.get("credsStore")
        return found if isinstance(found, str) else ""

    def store(self, server: str, login: Login) -> bool:
        """Keep a login. True when it is now readable in the file and was not before."""
        entry: dict[str, str] = {}
        helper = self.helper(server)
        if helper:
            secret = login.identity_token or login.password
            username = IDENTITY_TOKEN if login.identity_token else login.username
            _run(helper, "store", json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))
        else:
            entry["auth"] = base64.b64encode(f"{login.username}:{login.password}".encode()).decode()
            if login.identity_token:
                entry["identitytoken"] = login.identity_token
        auths = self._auths()
        if auths.get(server) == entry:
            return False
        auths[server] = entry
        self._write()
        return not helper

    def erase(self, servers: list[str]) -> list[str]:
        """Forget logins; what went wrong, a line each."""
        auths, failures = self._auths(), []
        known = [server for server in servers if server in auths]
        for server in servers:
            helper = self.helper(server)
            if helper:
                try:
                    _run(helper, "erase", server)
                except SystemFailure as error:
                    failures.append(f"{server}: {error.message}")
            auths.pop(server, None)
        if known:
            self._write()
        return failures

    def _auths(self) -> dict[str, Any]:
        auths = self._configuration.setdefault("auths", {})
        if not isinstance(auths, dict):
            auths = self._configuration["auths"] = {}
        return auths

    def _write(self) -> None:
        """Replace the file in one step; only its owner may read it. What it is a link to stays what it is a link to."""
        target = os.path.realpath(self.path)
        os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
        temporary = f"{target}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(self._configuration, file, indent="\t")
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise


def _run(helper: str, verb: str, text: str) -> None:
    """Run a helper; SystemFailure with what it says when it fails."""
    import subprocess  # only where a helper is configured

    program = f"docker-credential-{helper}"
    if os.sep in helper:
        raise SystemFailure(f"error storing credentials - err: exec: {program!r}: not a program's name")
    try:
        done = subprocess.run([program, verb], input=text.encode(), capture_output=True, check=False)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SystemFailure(f'error storing credentials - err: exec: "{program}": {reason}, out: ``') from None
    if done.returncode != 0:
        out = (done.stdout or done.stderr).decode("utf-8", "replace").strip()
        raise SystemFailure(f"error storing credentials - err: exit status {done.returncode}, out: `{out}`")
