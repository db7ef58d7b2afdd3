"""Docker Hub as an engine sees it: a registry behind TLS at one name, and at another the service that gives tokens.

The registry is Debian's docker-registry, which checks each token itself: issuer, audience, signature, what it allows.
"""

import json
import shutil
import ssl
import subprocess
import tempfile
import threading
import time
from base64 import urlsafe_b64encode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.journeys.world import AUTH, REGISTRY, World
from tests.support.commands import run, wait_until

NAMES = {"registry-1.docker.io": REGISTRY, "auth.docker.io": AUTH}
SERVICE = "registry.docker.io"
CONFIGURATION = """\
version: 0.1
log: {{level: info, formatter: json, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {root}/data}}}}
http: {{addr: "{address}:443", host: "https://registry-1.docker.io", tls: {{certificate: {root}/host.crt, key: {root}/host.key}}}}
auth: {{token: {{realm: "https://auth.docker.io/token", service: {service}, issuer: hub, rootcertbundle: {root}/signer.crt}}}}
"""  # noqa: E501


class Hub:
    """Running registry and token service; `asked` holds the queries for tokens, `authority` the CA's certificate."""

    def __init__(self, directory: Path) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="hub-", dir=directory))
        self.authority = self.root / "authority.crt"
        self.asked: list[dict[str, list[str]]] = []
        self._make_keys()
        self.world = World(self.root, NAMES)
        self._start_tokens()
        self._start_registry()

    def token(self, repository: str, *actions: str) -> str:
        """A signed token (JWT, RS256) that allows `actions` on a repository."""
        certificate = "".join((self.root / "signer.crt").read_text().splitlines()[1:-1])
        now = int(time.time())
        claims = {
            "iss": "hub", "aud": SERVICE, "sub": "", "nbf": now - 60, "iat": now, "exp": now + 300, "jti": "1",
            "access": [{"type": "repository", "name": repository, "actions": list(actions)}],
        }  # fmt: skip
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        text = b".".join(_coded(json.dumps(part).encode()) for part in (header, claims))
        signed = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.root / "signer.key")],
            input=text, capture_output=True, check=True,
        )  # fmt: skip
        return (text + b"." + _coded(signed.stdout)).decode()

    def publish(self, layout: Path, name: str) -> None:
        """Push an OCI layout with all its platforms, by skopeo."""
        pushed = self.world.home.command(
            "skopeo", "--insecure-policy", "copy", "--all", "--quiet",
            "--dest-registry-token", self.token(name.partition(":")[0], "pull", "push"),
            f"oci:{layout}", f"docker://registry-1.docker.io/{name}",
            environment={"SSL_CERT_FILE": str(self.authority), "PATH": "/usr/bin:/bin", "HOME": str(self.root)},
        )  # fmt: skip
        pushed.ok()

    def close(self) -> None:
        """End the servers and both places."""
        self._registry.kill()
        self._registry.wait()
        self._tokens.shutdown()
        self._serving.join()
        self._tokens.server_close()
        self.world.close()
        shutil.rmtree(self.root)

    def _make_keys(self) -> None:
        """An authority, the hosts' certificate under it, and the signer of tokens."""
        (self.root / "names").write_text("subjectAltName=" + ",".join(f"DNS:{name}" for name in NAMES))
        new = ["openssl", "req", "-newkey", "rsa:2048", "-nodes"]
        self._openssl(*new, "-x509", "-days", "2", "-subj", "/CN=Test Authority", "-keyout", "authority.key",
                      "-out", "authority.crt")  # fmt: skip
        self._openssl(*new, "-x509", "-days", "2", "-subj", "/CN=signer", "-keyout", "signer.key", "-out", "signer.crt")
        self._openssl(*new, "-subj", "/CN=hub", "-keyout", "host.key", "-out", "host.csr")
        self._openssl(
            "openssl", "x509", "-req", "-days", "2", "-in", "host.csr", "-CA", "authority.crt", "-CAkey",
            "authority.key", "-CAcreateserial", "-extfile", "names", "-out", "host.crt",
        )  # fmt: skip

    def _openssl(self, *command: str) -> None:
        run(command, cwd=str(self.root)).ok()

    def _start_tokens(self) -> None:
        hub = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = parse_qs(urlsplit(self.path).query)
                hub.asked.append(query)
                _, name, actions = query["scope"][0].split(":")
                body = json.dumps({"token": hub.token(name, *actions.split(",")), "expires_in": 300}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *words: object) -> None:
                """Say nothing."""

        self._tokens = self.world.outside.do(lambda: ThreadingHTTPServer((AUTH, 443), Answer))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.root / "host.crt", self.root / "host.key")
        self._tokens.socket = context.wrap_socket(self._tokens.socket, server_side=True)
        self._serving = threading.Thread(target=self._tokens.serve_forever, kwargs={"poll_interval": 0.05})
        self._serving.start()

    def _start_registry(self) -> None:
        (self.root / "config.yml").write_text(CONFIGURATION.format(root=self.root, address=REGISTRY, service=SERVICE))
        log = self.root / "log"
        with log.open("wb") as output:
            self._registry = subprocess.Popen(
                self.world.outside.enter("docker-registry", "serve", str(self.root / "config.yml")),
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

        def listens() -> bool:
            assert self._registry.poll() is None, log.read_text()
            return "listening on" in log.read_text()

        wait_until(listens, "docker-registry listens", seconds=30)


def _coded(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
