"""Uploads to a registry that misbehaves: sessions carry on, credentials stay home, refusals are in Docker's words."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from pier.registry import login
from pier.registry.registries import Endpoint, Registries
from pier.registry.uploads import TooLarge, Uploads
from pier.spec import references
from pier.spec.credentials import Credentials
from pier.spec.errors import Forbidden, NotFound, PierError, Unauthorized, Unavailable
from tests.registry.fake import digest_of
from tests.registry.taking import TakingRegistry

ALICE = Credentials("alice", "secret")
CONTENT = os.urandom(300_000)
DIGEST = digest_of(CONTENT)
Use = Callable[[Uploads], Coroutine[Any, Any, Any]]


def ask(
    registry: TakingRegistry, use: Use, credentials: Credentials | None = ALICE, mounts: tuple[str, ...] = ()
) -> object:
    """Run `use` on the repository x of the running registry."""

    async def run() -> object:
        async with registry:
            endpoint = Endpoint("http", registry.address, None, insecure=True)
            reference = references.parse(f"{registry.address}/x:latest")
            async with Uploads(endpoint, reference, Registries(), credentials, mounts=mounts) as uploads:
                return await use(uploads)

    return asyncio.run(run())


async def content(offset: int, end: int) -> AsyncIterator[bytes]:
    """The bytes from an offset to an end, in pieces."""
    for start in range(offset, end, 50_000):
        yield CONTENT[start : min(start + 50_000, end)]


async def upload(uploads: Uploads) -> None:
    """The whole blob."""
    location = await uploads.begin(DIGEST)
    location = await uploads.send(location, content, 0, len(CONTENT), whole=len(CONTENT))
    await uploads.finish(location, DIGEST)


def test_a_blob_is_uploaded_in_one_piece() -> None:
    registry = TakingRegistry()
    ask(registry, upload)
    assert registry.blobs == {DIGEST: CONTENT}
    assert registry.methods() == ["POST", "PATCH", "PUT"]


def test_an_upload_that_broke_off_carries_on_where_it_is() -> None:
    registry = TakingRegistry(break_after=[120_000])

    async def use(uploads: Uploads) -> int:
        location = await uploads.begin(DIGEST)
        with pytest.raises(Unavailable):
            await uploads.send(location, content, 0, len(CONTENT), whole=len(CONTENT))
        location, offset = await uploads.state(location)
        location = await uploads.send(location, content, offset, len(CONTENT), whole=len(CONTENT))
        await uploads.finish(location, DIGEST)
        return offset

    assert ask(registry, use) == 120_000
    assert registry.blobs == {DIGEST: CONTENT}
    assert registry.seen[3].headers["Content-Range"] == f"120000-{len(CONTENT) - 1}"


def test_a_request_that_is_too_large_is_told_apart() -> None:
    registry = TakingRegistry(most=100_000, least=50_000)

    async def use(uploads: Uploads) -> int:
        location = await uploads.begin(DIGEST)
        with pytest.raises(TooLarge, match="no request of 300000 bytes"):
            await uploads.send(location, content, 0, len(CONTENT), whole=len(CONTENT))
        for start in range(0, len(CONTENT), 100_000):
            location = await uploads.send(location, content, start, start + 100_000, whole=len(CONTENT))
        await uploads.finish(location, DIGEST)
        return uploads.least_piece

    assert ask(registry, use) == 50_000
    assert registry.blobs == {DIGEST: CONTENT}
    ranges = [seen.headers.get("Content-Range") for seen in registry.seen if seen.method == "PATCH"]
    assert ranges == [None, "0-99999", "100000-199999", "200000-299999"]


def test_an_upload_that_is_forgotten_is_not_found() -> None:
    async def use(uploads: Uploads) -> None:
        location = await uploads.begin(DIGEST)
        with pytest.raises(NotFound):
            await uploads.state(location)

    ask(TakingRegistry(forgets=True), use)


def test_a_blob_is_taken_from_another_repository() -> None:
    registry = TakingRegistry(mountable={DIGEST: "other/one"})
    assert ask(registry, lambda uploads: uploads.begin(DIGEST, "other/one")) == ""
    assert ask(registry, lambda uploads: uploads.begin(DIGEST, "third")) != ""


def test_a_token_is_asked_for_every_scope_at_once() -> None:
    registry = TakingRegistry(token="t0k")
    ask(registry, lambda uploads: uploads.greet(), mounts=("other/one",))
    asked = next(seen.path for seen in registry.seen if seen.path.startswith("/token"))
    assert "scope=repository:x:pull,push&scope=repository:other/one:pull" in asked.replace("%3A", ":").replace(
        "%2F", "/"
    )
    assert "offline_token" not in asked


def test_a_refresh_token_is_exchanged_with_every_scope() -> None:
    registry = TakingRegistry(token="t0k")
    ask(registry, lambda uploads: uploads.greet(), Credentials(identity_token="r3f"), mounts=("o",))
    asked = next(seen.path for seen in registry.seen if seen.path.startswith("/token"))
    assert "grant_type=refresh_token" in asked
    assert "scope=repository%3Ax%3Apull%2Cpush+repository%3Ao%3Apull" in asked


@pytest.mark.parametrize("credentials", [ALICE, None])
def test_a_token_service_without_get_is_asked_by_oauth_where_there_is_a_password(
    credentials: Credentials | None,
) -> None:
    registry = TakingRegistry(token="t0k", only_oauth=True)
    if credentials is None:
        with pytest.raises(Unavailable, match="answered 405"):
            ask(registry, lambda uploads: uploads.greet(), None)
        return
    ask(registry, lambda uploads: uploads.greet())
    asked = next(seen for seen in registry.seen if seen.path.startswith("/token"))
    assert "grant_type=password&username=alice&password=secret&service=fake&client_id=docker" in asked.path
    assert "access_type" not in asked.path
    assert "Authorization" not in asked.headers


def test_a_login_by_oauth_asks_for_a_token_that_lasts() -> None:
    registry = TakingRegistry(token="t0k", only_oauth=True)

    async def run() -> str:
        async with registry:
            return await login.check(Registries(), Credentials("alice", "secret", server=registry.address))

    assert asyncio.run(run()) == "from-now-on"
    assert any("access_type=offline" in seen.path for seen in registry.seen)


def test_a_login_gets_the_token_that_stands_for_the_user() -> None:
    registry = TakingRegistry(token="t0k")

    async def run() -> str:
        async with registry:
            return await login.check(Registries(), Credentials("alice", "secret", server=registry.address))

    assert asyncio.run(run()) == "from-now-on"
    assert any("offline_token=true" in seen.path for seen in registry.seen)


def test_row_49_cve_2026_33540_an_upload_elsewhere_never_sees_the_users_token() -> None:
    registry, storage = TakingRegistry(token="t0k"), TakingRegistry()

    async def run() -> None:
        async with storage:
            registry.elsewhere = f"http://localhost:{storage.port}"
            storage.uploads["0"] = bytearray()
            async with registry:
                endpoint = Endpoint("http", registry.address, None, insecure=True)
                reference = references.parse(f"{registry.address}/x:latest")
                async with Uploads(endpoint, reference, Registries(), ALICE) as uploads:
                    await upload(uploads)

    asyncio.run(run())
    assert storage.blobs == {DIGEST: CONTENT}
    assert all("Authorization" not in seen.headers for seen in storage.seen)


@pytest.mark.parametrize("only_oauth", [False, True])
def test_row_49_cve_2020_15157_a_token_service_of_another_owner_never_sees_the_password(*, only_oauth: bool) -> None:
    stranger = TakingRegistry(token="t0k", only_oauth=only_oauth)

    async def run() -> None:
        async with stranger:
            registry = TakingRegistry(token="t0k", realm=f"http://localhost:{stranger.port}/token")
            async with registry:
                endpoint = Endpoint("http", registry.address, None, insecure=True)
                reference = references.parse(f"{registry.address}/x:latest")
                async with Uploads(endpoint, reference, Registries(), ALICE) as uploads:
                    await uploads.greet()

    if only_oauth:
        with pytest.raises(Unavailable, match="answered 405"):
            asyncio.run(run())
    else:
        asyncio.run(run())
    assert len(stranger.seen) == (0 if only_oauth else 1)
    assert all("Authorization" not in seen.headers and "secret" not in seen.path for seen in stranger.seen)


@pytest.mark.parametrize("elsewhere", ["file:///etc", "ftp://127.0.0.1"])
def test_an_upload_to_a_strange_address_is_refused(elsewhere: str) -> None:
    with pytest.raises(Unavailable, match="refused to upload"):
        ask(TakingRegistry(elsewhere=elsewhere), upload)


def test_a_refusal_is_told_in_dockers_words() -> None:
    with pytest.raises(Forbidden, match="denied: not for you"):
        ask(TakingRegistry(refusal=403), upload)


def test_a_registry_that_wants_a_password_is_not_pushed_to_without_one() -> None:
    async def use(uploads: Uploads) -> None:
        await uploads.begin(DIGEST)

    with pytest.raises(Unauthorized, match="no basic auth credentials"):
        ask(TakingRegistry(basic=True), use, None)


def test_a_manifest_that_the_registry_changes_is_no_success() -> None:
    async def use(uploads: Uploads) -> None:
        await uploads.put_manifest("latest", b"{}", "application/json")

    ask(TakingRegistry(), use)
    with pytest.raises(Unavailable, match="keeps another manifest"):
        ask(TakingRegistry(lies=True), use)


def test_nobody_there_is_said_with_the_address() -> None:
    async def run() -> None:
        endpoint = Endpoint("http", "127.0.0.1:1", None, insecure=True)
        async with Uploads(endpoint, references.parse("127.0.0.1:1/x:1"), Registries(), None) as uploads:
            await uploads.greet()

    with pytest.raises(PierError, match=r'Get "http://127\.0\.0\.1:1/v2/": dial tcp'):
        asyncio.run(run())
