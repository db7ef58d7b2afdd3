"""A push to a registry that breaks off, forgets and takes only small requests: the blob arrives whole or not at all."""

import asyncio
import json
import os

import pytest

from pier.images.blob_upload import Pieces
from pier.images.images import Images
from pier.images.push import Pusher
from pier.registry.registries import Registries
from pier.registry.uploads import TooLarge
from pier.spec import references
from pier.spec.errors import Forbidden, Unavailable
from tests.images.test_removal import make
from tests.registry.taking import TakingRegistry

pytestmark = pytest.mark.root

CONTENT = os.urandom(3 << 20)


def push(images: Images, registry: TakingRegistry, content: bytes = CONTENT, *, attempts: int = 3) -> list[str]:
    """Push an image of one file with this content; the lines of its progress."""
    told: list[str] = []
    make(images, "x:1", content=content)

    async def run() -> None:
        async with registry:
            name = references.parse(f"{registry.address}/x:1")
            images.tag("x:1", name.familiar)
            pusher = Pusher(images, Registries(attempts=attempts), asyncio.Semaphore(5))
            await pusher.push(name, lambda line: told.append(getattr(line, "status", "")))

    asyncio.run(run())
    return told


def patches(registry: TakingRegistry) -> list[int]:
    """The sizes of the pieces that came."""
    return [int(seen.headers["Content-Length"]) for seen in registry.seen if seen.method == "PATCH"]


@pytest.mark.parametrize(
    ("refused", "least", "most"),
    [(1 << 40, 0, 64 << 20), (64 << 20, 0, 16 << 20), (64 << 20, 50 << 20, 50 << 20), (65537, 0, 16384)],
)
def test_a_refused_piece_is_followed_by_a_smaller_one(refused: int, least: int, most: int) -> None:
    pieces = Pieces()
    assert pieces.end(5, 1 << 40) == 1 << 40
    assert pieces.shrink(refused, least)
    assert pieces.most == most
    assert pieces.end(5, 1 << 40) == 5 + most
    assert pieces.end(5, 6) == 6


@pytest.mark.parametrize(("refused", "least"), [(1, 0), (64 << 10, 0), (1 << 20, 1 << 20), (1 << 20, 1 << 30)])
def test_nothing_smaller_than_what_the_registry_takes_is_tried(refused: int, least: int) -> None:
    pieces = Pieces()
    assert not pieces.shrink(refused, least)
    assert pieces.most == 0


def arrived(registry: TakingRegistry) -> bool:
    """Whether the registry has a manifest, and every blob that it names."""
    (raw, _), *_ = registry.manifests.values()
    named = json.loads(raw)
    return {entry["digest"] for entry in (named["config"], *named["layers"])} == set(registry.blobs)


def test_a_blob_that_is_too_large_for_one_request_goes_in_pieces(images: Images) -> None:
    registry = TakingRegistry(most=1 << 20, least=1 << 18)
    push(images, registry)
    whole, *pieces = patches(registry)
    assert arrived(registry)
    assert len(set(pieces[:-1])) == 1
    assert (1 << 18) <= pieces[0] <= (1 << 20)
    assert sum(pieces) == whole


def test_a_piece_is_never_smaller_than_the_registry_asks_for(images: Images) -> None:
    registry = TakingRegistry(most=1 << 16, least=1 << 20)
    with pytest.raises(TooLarge, match="takes no request of 1048576 bytes"):
        push(images, registry)
    assert registry.manifests == {}
    assert len(patches(registry)) == 2


def test_pieces_that_break_off_carry_on(images: Images) -> None:
    registry = TakingRegistry(most=1 << 20, break_after=[100_000, 200_000])
    told = push(images, registry)
    assert arrived(registry)
    assert "Retrying in 1 second" not in told


def test_an_upload_that_breaks_off_carries_on_where_it_is(images: Images) -> None:
    registry = TakingRegistry(break_after=[1_000_000, 500_000])
    told = push(images, registry)
    first, second, third = patches(registry)
    assert (first - second, second - third) == (1_000_000, 500_000)
    assert arrived(registry)
    assert told.count("Pushed") == 1


def test_an_upload_that_the_registry_forgot_begins_anew(images: Images) -> None:
    registry = TakingRegistry(break_after=[1_000_000], forgets=True)
    told = push(images, registry)
    assert arrived(registry)
    assert "Retrying in 1 second" in told
    assert registry.methods().count("PATCH") == 2


def test_an_upload_that_never_gets_through_fails_after_its_attempts_and_gives_no_name(images: Images) -> None:
    registry = TakingRegistry(break_after=[0] * 10)
    with pytest.raises(Unavailable, match="Patch "):
        push(images, registry, attempts=2)
    assert registry.manifests == {}
    assert len(patches(registry)) == 2


def test_a_refusal_is_not_tried_again(images: Images) -> None:
    registry = TakingRegistry(refusal=403)
    with pytest.raises(Forbidden, match="not for you"):
        push(images, registry)
    assert registry.methods().count("POST") == 1
