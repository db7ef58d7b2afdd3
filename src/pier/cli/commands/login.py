"""`pier login` and `pier logout`: a registry's credentials, checked by the daemon and kept for later commands."""

from __future__ import annotations

import sys

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.client.credentials import lookup
from pier.client.logins import Login, Logins
from pier.spec.errors import Unauthorized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pier.cli.flags import Parsed

FLAGS = """
-p, --password string   Password or Personal Access Token (PAT)
    --password-stdin    Take the Password or Personal Access Token (PAT) from stdin
-u, --username string   Username
"""
HUB = "https://index.docker.io/v1/"
_HUB_NAMES = ("", "docker.io", "index.docker.io", "registry-1.docker.io", "index.docker.io/v1/")
_NO_TERMINAL = "Error: Cannot perform an interactive login from a non TTY device"
_TO_ANOTHER = "To login with a different account, run 'docker logout' followed by 'docker login'"
_UNENCRYPTED = """
WARNING! Your credentials are stored unencrypted in '{path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/
"""


def server_of(text: str) -> str:
    """The name under which a registry's login is kept."""
    bare = text.removeprefix("https://").removeprefix("http://")
    return HUB if bare.rstrip("/") in _HUB_NAMES or bare in _HUB_NAMES else _bare(text)


def _bare(text: str) -> str:
    """The host and port that a registry's address names."""
    return text.removeprefix("https://").removeprefix("http://").partition("/")[0]


def login(cli: Cli, flags: Parsed, arguments: list[str]) -> None:
    """Check a login with the daemon, and keep it."""
    server = server_of(arguments[0] if arguments else "")
    username, password = _given(cli, flags)
    if not username and not password and _with_existing(cli, server):
        return
    if not username or not password:
        username, password = _ask(server, username, password)
    _login(cli, server, Login(username, password))


def _given(cli: Cli, flags: Parsed) -> tuple[str, str]:
    username, password = flags.text("username"), flags.text("password")
    if flags.changed("password"):
        if flags.on("password-stdin"):
            raise Failure("conflicting options: cannot specify both --password and --password-stdin")
        cli.error("WARNING! Using --password via the CLI is insecure. Use --password-stdin.")
    if flags.on("password-stdin"):
        if not username:
            raise Failure("the --password-stdin option requires --username to be set")
        password = sys.stdin.read().rstrip("\r\n")
    return username, password


def _with_existing(cli: Cli, server: str) -> bool:
    """Log in with what is kept. False when there is nothing, or it is not taken any more."""
    known = lookup(cli.configuration, server)
    if not known:
        return False
    name = known.get("username", "")
    cli.error("Authenticating with existing credentials..." + (f" [Username: {name}]" if name else ""))
    cli.error(f"\n Info -> {_TO_ANOTHER}\n\n")
    try:
        _login(cli, server, Login(name, known.get("password", ""), known.get("identitytoken", "")))
    except Unauthorized as error:
        cli.error(f"Login did not succeed, error: {error.message}")
        return False
    return True


def _ask(server: str, username: str, password: str) -> tuple[str, str]:
    if not sys.stdin.isatty():
        raise Failure(_NO_TERMINAL)
    if server == HUB and not username:
        sys.stdout.write("Log in with your Docker ID or email address to push and pull images from Docker Hub.\n\n")
    if not username:
        sys.stdout.write("Username: ")
        sys.stdout.flush()
        username = sys.stdin.readline().strip()
        if not username:
            raise Failure("Error: Non-null Username Required")
    if not password:
        from getpass import getpass  # lazily: only where a person types

        password = getpass("Password: ")
        if not password:
            raise Failure("Error: Password Required")
    return username, password


def _login(cli: Cli, server: str, given: Login) -> None:
    body = {"username": given.username, "password": given.password, "serveraddress": server}
    if given.identity_token:
        body = {"username": given.username, "identitytoken": given.identity_token, "serveraddress": server}
    answer = cli.client.post("/auth", None, body) or {}
    token = str(answer.get("IdentityToken") or "")
    kept = Login(given.username, "" if token else given.password, token or given.identity_token)
    logins = Logins(cli.directory)
    if logins.store(server, kept):
        cli.error(_UNENCRYPTED.format(path=logins.path))
    cli.out(str(answer.get("Status") or "Login Succeeded"))


def logout(cli: Cli, _flags: Parsed, arguments: list[str]) -> None:
    """Forget a login."""
    server = arguments[0] if arguments else ""
    host = _bare(server) if server else HUB
    cli.out(f"Removing login credentials for {host}")
    servers = [server, host, f"http://{host}", f"https://{host}"] if server else [HUB]
    failures = Logins(cli.directory).erase(list(dict.fromkeys(servers)))
    if failures:
        cli.error("WARNING: could not erase credentials:\n" + "\n".join(failures))


DEFINITIONS = {
    "login": Definition("[OPTIONS] [SERVER]", login, flags=FLAGS, most=1),
    "logout": Definition("[SERVER]", logout, most=1),
}
