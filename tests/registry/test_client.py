"""The client against a registry that misbehaves: credentials stay home, bodies are bounded, digests hold."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from pier.registry.client import Repository
from pier.registry.registries import Endpoint, Registries
from pier.spec import manifests, references
from pier.spec.credentials import Credentials
from pier.spec.errors import Forbidden, InvalidParameter, NotFound, PierError, Unauthorized, Unavailable
from tests.registry.fake import FakeRegistry, digest_of

ALICE = Credentials("alice", "secret")
Use = Callable[[Repository], Coroutine[Any, Any, Any]]


def ask(registry: FakeRegistry, use: Use, credentials: Credentials | None = ALICE, *, mirror: bool = False) -> object:
    """Run `use` on a repository of the running registry."""

    async def run() -> object:
        async with registry:
            endpoint = Endpoint("http", registry.address, None, mirror=mirror, insecure=True)
            reference = references.parse(f"{registry.address}/x:latest")
            async with Repository(endpoint, reference, Registries(), credentials) as repository:
                return await use(repository)

    return asyncio.run(run())


async def latest(repository: Repository) -> bytes:
    """The manifest of the tag."""
    return (await repository.manifest("latest")).raw


def served(**settings: Any) -> FakeRegistry:
    """A registry with one manifest."""
    registry = FakeRegistry(**settings)
    registry.publish("latest", b"{}", manifests.DOCKER_MANIFEST)
    return registry


def test_without_a_challenge_nothing_is_said_about_the_user() -> None:
    registry = served()
    assert ask(registry, latest) == b"{}"
    assert registry.authorizations() == []


def test_a_token_is_fetched_with_the_users_password() -> None:
    registry = served(token="t0k", account="alice:secret")
    assert ask(registry, latest) == b"{}"
    assert registry.authorizations() == [ALICE.basic, "Bearer t0k"]


def test_a_token_is_fetched_without_credentials() -> None:
    registry = served(token="t0k")
    assert ask(registry, latest, None) == b"{}"
    assert registry.authorizations() == ["Bearer t0k"]


def test_a_basic_challenge_gets_the_password() -> None:
    assert ask(served(password="alice:secret"), latest) == b"{}"


def test_a_wrong_password_is_unauthorized() -> None:
    with pytest.raises(Unauthorized):
        ask(served(password="alice:other"), latest)
    with pytest.raises(Unauthorized, match="incorrect username or password"):
        ask(served(token="t", account="alice:other"), latest)


def test_a_realm_elsewhere_never_sees_the_password() -> None:
    registry = served(token="t0k")

    async def run() -> None:
        async with registry:
            registry.realm = f"http://localhost:{registry.port}/token"
            endpoint = Endpoint("http", registry.address, None, insecure=True)
            reference = references.parse(f"{registry.address}/x")
            async with Repository(endpoint, reference, Registries(), ALICE) as repository:
                await repository.manifest("latest")

    asyncio.run(run())
    assert registry.authorizations() == ["Bearer t0k"]


@pytest.mark.parametrize(
    "realm", ["http://192.0.2.1/token", "file:///etc/passwd", "ftp://127.0.0.1/", "nonsense", "//x"]
)
def test_a_realm_that_must_not_be_asked_is_refused(realm: str) -> None:
    with pytest.raises(Unavailable, match="refused to get a token"):
        ask(served(token="t", realm=realm), latest)


def test_a_mirror_never_sees_credentials() -> None:
    registry = served(password="alice:secret")
    with pytest.raises(PierError):
        ask(registry, latest, mirror=True)
    assert registry.authorizations() == []


def test_a_redirect_elsewhere_never_sees_the_token() -> None:
    registry = served(token="t0k")
    registry.blobs[digest_of(b"blob")] = b"blob"

    async def use(repository: Repository) -> bytes:
        registry.redirect = f"http://localhost:{registry.port}"
        return await repository.document(digest_of(b"blob"), 4, 100)

    assert ask(registry, use) == b"blob"
    elsewhere = [seen for seen in registry.seen if seen.path.startswith("/elsewhere")]
    assert [("Authorization" in seen.headers) for seen in elsewhere] == [False]


def test_a_redirect_to_nowhere_is_an_error() -> None:
    registry = served()
    registry.blobs[digest_of(b"x")] = b"x"

    async def use(repository: Repository) -> bytes:
        return await repository.document(digest_of(b"x"), 1, 100)

    for redirect in ("file://", "ftp://127.0.0.1", "http://127.0.0.1:1"):
        registry.redirect = redirect
        with pytest.raises(PierError):
            ask(registry, use)


def test_bodies_are_bounded() -> None:
    registry = FakeRegistry()
    registry.publish("latest", b"x" * (manifests.MAX_BYTES + 1), manifests.DOCKER_MANIFEST)
    with pytest.raises(InvalidParameter, match="larger than"):
        ask(registry, latest)
    blob = b"x" * 1000
    registry.blobs[digest_of(blob)] = blob
    with pytest.raises(InvalidParameter, match="larger than"):
        ask(registry, lambda repository: repository.document(digest_of(blob), 10, 100))
    with pytest.raises(InvalidParameter, match="larger than"):
        ask(registry, lambda repository: repository.document(digest_of(blob), 1 << 40, 100))


def test_content_must_have_its_digest() -> None:
    registry = FakeRegistry(blobs={digest_of(b"a"): b"b"})
    registry.manifests[digest_of(b"a")] = (b"b", manifests.DOCKER_MANIFEST)
    with pytest.raises(InvalidParameter, match="verification failed"):
        ask(registry, lambda repository: repository.document(digest_of(b"a"), 1, 100))
    with pytest.raises(InvalidParameter, match="verification failed"):
        ask(registry, lambda repository: repository.manifest(digest_of(b"a")))


@pytest.mark.parametrize(
    "digest", ["sha256:../../x", "sha256:abc", "md5:" + "a" * 32, "sha256:" + "A" * 64, "x" * 10_000]
)
def test_a_digest_that_is_none_is_never_asked_for(digest: str) -> None:
    registry = FakeRegistry()
    with pytest.raises(InvalidParameter):
        ask(registry, lambda repository: repository.document(digest, 1, 100))
    assert registry.seen == []


def test_what_is_missing_is_told_in_dockers_words() -> None:
    with pytest.raises(NotFound, match=r"^manifest for .*/x:latest not found: manifest unknown: manifest unknown$"):
        ask(FakeRegistry(), latest)


@pytest.mark.parametrize(
    ("status", "kind", "code", "words"),
    [
        (400, InvalidParameter, "NAME_INVALID", "name invalid: no"),
        (403, Forbidden, "FORBIDDEN", "forbidden: no"),
        (405, InvalidParameter, "UNSUPPORTED", "unsupported: no"),
        (408, Unavailable, "", "unexpected status 408"),
        (418, InvalidParameter, "", "unexpected status 418"),
        (429, Unavailable, "TOOMANYREQUESTS", "toomanyrequests: no"),
        (429, Unavailable, "RATE_LIMITED", "toomanyrequests: no"),
        (429, Unavailable, "", "toomanyrequests: too many requests"),
        (502, Unavailable, "", "received unexpected HTTP status: 502 Bad Gateway"),
    ],
)
def test_a_refusal_is_of_the_kind_that_it_means(status: int, kind: type[PierError], code: str, words: str) -> None:
    body = json.dumps({"errors": [{"code": code, "message": "no"}]}) if code else "<html>"
    with pytest.raises(kind) as refused:
        ask(FakeRegistry(refusal=(status, body)), latest)
    assert refused.value.message == words


def test_nobody_listening_is_unavailable() -> None:
    async def run() -> None:
        endpoint = Endpoint("http", "127.0.0.1:1", None, insecure=True)
        async with Repository(endpoint, references.parse("127.0.0.1:1/x"), Registries(), None) as repository:
            await repository.manifest("latest")

    with pytest.raises(Unavailable, match=r'^Get "http://127\.0\.0\.1:1/v2/x/manifests/latest": '):
        asyncio.run(run())
