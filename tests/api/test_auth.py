"""`POST /auth` and credentials in `X-Registry-Auth`: both daemons say the same about the same registry."""

import base64
import json
from collections.abc import Iterator

import pytest

from tests.support.engines import Engine
from tests.support.pierd import Pierd
from tests.support.registry import ACCOUNT, Registry

pytestmark = [pytest.mark.root, pytest.mark.peer]
USER, PASSWORD = ACCOUNT
NO_CREDENTIALS = 'Get "http://REGISTRY/v2/": no basic auth credentials'
WRONG = "login attempt to http://REGISTRY/v2/ failed with status: 401 Unauthorized"
NOBODY = 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'
PLAIN = {"username": USER, "password": PASSWORD}
JOINED = {"auth": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()}


@pytest.fixture(scope="module")
def protected() -> Iterator[Registry]:
    """A registry that asks for a password."""
    running = Registry(protected=True)
    yield running
    running.close()


@pytest.mark.parametrize("server", ["REGISTRY", "http://REGISTRY", "REGISTRY/v2/"])
def test_a_login_succeeds_however_the_registry_is_named(engine: Engine, protected: Registry, server: str) -> None:
    answer = engine.api("POST", "/auth", {**PLAIN, "serveraddress": server.replace("REGISTRY", protected.address)})
    assert answer.ok() == {"Status": "Login Succeeded", "IdentityToken": ""}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"username": USER, "password": "wrong"}, WRONG),
        ({"username": "", "password": ""}, NO_CREDENTIALS),
        ({}, NO_CREDENTIALS),
        ({**PLAIN, "serveraddress": "127.0.0.1:1"}, NOBODY),
    ],
)
def test_a_login_that_fails_says_why(engine: Engine, protected: Registry, given: dict[str, str], message: str) -> None:
    answer = engine.api("POST", "/auth", {"serveraddress": protected.address, **given})
    assert answer.status >= 400
    assert json.loads(answer.body)["message"] == message.replace("REGISTRY", protected.address)
    if isinstance(engine, Pierd):  # the API's description says 401, Docker answers 500
        assert answer.status == (503 if message == NOBODY else 401)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b'{"username": 1}', b"\xff"])
def test_what_is_no_login_is_a_bad_request(pierd: Pierd, raw: bytes) -> None:
    assert pierd.api("POST", "/auth", raw=raw, headers={"Content-Type": "application/json"}).status == 400


@pytest.fixture(scope="module")
def private(pierd: Pierd, protected: Registry) -> str:
    """An image that the registry has for its user alone; its name without a tag."""
    name = f"{protected.address}/private/box"
    pierd.docker("tag", "busybox", f"{name}:1").ok()
    sent = pierd.api("POST", f"/images/{name}/push?tag=1", headers={"X-Registry-Auth": encode(PLAIN)})
    assert b"digest: sha256:" in sent.body
    return name


def encode(document: dict[str, str], *, urlsafe: bool = True, padded: bool = True) -> str:
    """The header's value, as clients write it."""
    raw = json.dumps(document, indent=1, ensure_ascii=False).encode()
    text = (base64.urlsafe_b64encode(raw) if urlsafe else base64.b64encode(raw)).decode()
    return text if padded else text.rstrip("=")


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("urlsafe", [True, False])
@pytest.mark.parametrize(
    ("document", "taken"),
    [
        (PLAIN, True),
        (JOINED, True),
        ({**PLAIN, "email": "a@b", "serveraddress": "elsewhere.example"}, True),
        ({"username": USER, "password": "ÿÿ>>??"}, False),
        ({"identitytoken": "x"}, False),
        ({"registrytoken": "x"}, False),
        ({}, False),
    ],
)
def test_credentials_are_read_in_every_form(
    pierd: Pierd, private: str, document: dict[str, str], *, taken: bool, urlsafe: bool, padded: bool
) -> None:
    headers = {"X-Registry-Auth": encode(document, urlsafe=urlsafe, padded=padded)}
    pushed = pierd.api("POST", f"/images/{private}/push?tag=1", headers=headers)
    assert (b"digest: sha256:" in pushed.body) is taken
    assert (b'"errorDetail"' in pushed.body) is not taken
    pulled = pierd.api("POST", f"/images/create?fromImage={private}&tag=1", headers=headers)
    inspected = pierd.api("GET", f"/distribution/{private}:1/json", headers=headers)
    assert (pulled.status, inspected.status) == ((200, 200) if taken else (401, 401))


def test_one_users_push_leaves_nothing_for_the_next_one(pierd: Pierd, private: str) -> None:
    answer = pierd.api("POST", f"/images/{private}/push?tag=1", headers={"X-Registry-Auth": ""})
    assert b"no basic auth credentials" in answer.body
