"""Pulls from a registry that lies, nests, breaks off at any byte or asks for patience: the truth or a clear error, and
never anything half-made.
"""

import asyncio
import json
from collections.abc import Sequence

import pytest

from pier.images.images import Images
from pier.images.progress import Progress
from pier.images.pull import pull
from pier.registry.registries import Registries
from pier.spec import manifests
from pier.spec.errors import InvalidParameter, NotFound, Unavailable
from tests.images.tars import Entry, tar
from tests.images.test_pull import BASE, TOP, clean, run
from tests.registry.fake import FakeRegistry, digest_of

pytestmark = pytest.mark.root

SMALL = tar(Entry(b"file", bytes(range(256))))
AMD, ARM = {"os": "linux", "architecture": "amd64"}, {"os": "linux", "architecture": "arm64"}
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def index_of(registry: FakeRegistry, entries: Sequence[tuple[str, dict[str, str] | None]], name: str = "latest") -> str:
    """Publish an index of documents that are there; its digest."""
    listed = []
    for digest, platform in entries:
        raw, media_type = registry.manifests[digest]
        entry = {"mediaType": media_type, "digest": digest, "size": len(raw)}
        listed.append(entry | ({"platform": platform} if platform else {}))
    document = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": listed}
    return registry.publish(name, json.dumps(document).encode(), manifests.OCI_INDEX)


def test_an_index_inside_an_index_is_followed(images: Images) -> None:
    registry = FakeRegistry()
    inner = index_of(registry, [(registry.add("image", [BASE]), AMD)], "inner")
    other = index_of(registry, [(registry.add("arm", [BASE], architecture="arm64"), ARM)], "other")
    top = index_of(registry, [(other, None), (inner, None)])
    image = run(registry, images)
    assert image.digests == (f"{registry.address}/x@{top}",)
    assert {digest_of(images.blobs.read(one, 1 << 20)) for one in (top, inner)} == {top, inner}


def test_indexes_without_end_are_refused(images: Images) -> None:
    registry = FakeRegistry()
    below = index_of(registry, [(registry.add("image", [BASE]), AMD)])
    for _ in range(4):
        below = index_of(registry, [(below, None)])
    with pytest.raises(InvalidParameter, match="indexes are nested more than 4 deep"):
        run(registry, images)
    clean(images)


def test_a_crowd_of_indexes_is_refused(images: Images) -> None:
    registry = FakeRegistry()
    image = registry.add("arm", [BASE], architecture="arm64")
    crowd = [(index_of(registry, [(image, ARM | {"variant": f"v{n}"})]), None) for n in range(40)]
    index_of(registry, crowd)
    with pytest.raises(InvalidParameter, match="more than 32 documents"):
        run(registry, images)
    assert len(registry.seen) < 40


def test_attestations_are_skipped(images: Images) -> None:
    registry = FakeRegistry()
    statement = registry.add("statement", [SMALL], media_type="application/vnd.in-toto+json", architecture="unknown")
    index_of(registry, [(statement, UNKNOWN), (registry.add("image", [BASE]), AMD)])
    assert run(registry, images).config.architecture == "amd64"
    index_of(registry, [(statement, UNKNOWN)])
    with pytest.raises(NotFound, match="no matching manifest for linux/amd64 in the manifest list entries"):
        run(registry, images)


def test_an_index_that_lies_about_a_size_is_refused(images: Images) -> None:
    registry = FakeRegistry()
    digest = registry.add("image", [BASE])
    entry = {"mediaType": manifests.DOCKER_MANIFEST, "digest": digest, "size": 7, "platform": AMD}
    document = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": [entry]}
    registry.publish("latest", json.dumps(document).encode(), manifests.OCI_INDEX)
    with pytest.raises(InvalidParameter, match=r"manifest verification failed for digest .* bytes instead of 7"):
        run(registry, images)
    clean(images)


@pytest.mark.parametrize("change", [-1, 1])
def test_a_manifest_that_lies_about_a_layers_size_is_refused(images: Images, change: int) -> None:
    registry = FakeRegistry()
    registry.add("latest", [SMALL])
    document = json.loads(registry.manifests["latest"][0])
    document["layers"][0]["size"] += change
    registry.publish("latest", json.dumps(document).encode(), manifests.DOCKER_MANIFEST)

    async def work() -> None:
        async with registry:
            await pull_once(registry, images)

    with pytest.raises((InvalidParameter, Unavailable)):
        asyncio.run(work())
    clean(images)


def test_a_foreign_layer_that_is_elsewhere_is_refused(images: Images) -> None:
    registry = FakeRegistry()
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    registry.add("latest", [SMALL], media_type=foreign)
    layer = json.loads(registry.manifests["latest"][0])["layers"][0]["digest"]
    del registry.blobs[layer]
    with pytest.raises(NotFound, match=f"foreign layer {layer} is not in the image's own registry"):
        run(registry, images)
    clean(images)


@pytest.mark.parametrize("step", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_a_layer_cut_anywhere_is_never_seen_and_carried_on(images: Images, step: int) -> None:
    registry = FakeRegistry()
    registry.add("latest", [SMALL])
    layer = json.loads(registry.manifests["latest"][0])["layers"][0]
    cuts = range(step, layer["size"], step)

    async def work() -> None:
        async with registry:
            for _ in cuts:
                registry.break_after = [1 << 20, step]  # the configuration goes through, the layer for some bytes more
                with pytest.raises(Unavailable):
                    await pull_once(registry, images)
                assert images.list() == []
                assert images.blobs.list() == []
            registry.break_after = []
            await pull_once(registry, images)

    asyncio.run(work())
    (image,) = images.list()
    assert (images.layer_directories(image)[0] / "file").read_bytes() == bytes(range(256))
    asked = [seen.headers.get("Range") for seen in registry.seen if layer["digest"] in seen.path]
    assert asked == [None, *(f"bytes={start}-" for start in cuts)]


def test_two_who_pull_the_same_both_hear_of_it_and_one_may_leave(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [TOP])
    layer = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
    heard: list[Progress] = []

    async def work() -> None:
        registries = Registries()
        going = asyncio.Event()

        def hear(line: Progress) -> None:
            heard.append(line)
            if line.status == "Downloading":
                going.set()

        async with registry:
            registry.break_after = [1 << 20, 1 << 20, 300_000]  # both configurations, and the layer not wholly
            name = f"{registry.address}/x"
            first = asyncio.create_task(
                pull(name, images=images, registries=registries, progress=lambda _: None, platform="linux/amd64")
            )
            second = asyncio.create_task(
                pull(name, images=images, registries=registries, progress=hear, platform="linux/amd64")
            )
            await going.wait()
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            await second

    asyncio.run(work())
    assert len(images.list()) == 1
    assert "Pull complete" in [line.status for line in heard]
    assert len([seen for seen in registry.seen if layer in seen.path]) <= 3


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (429, "TOOMANYREQUESTS", "toomanyrequests: You have reached your pull rate limit"),
        (503, "", "received unexpected HTTP status: 503"),
    ],
)
def test_a_registry_that_is_busy_says_so(images: Images, status: int, kind: str, words: str) -> None:
    message = "You have reached your pull rate limit"
    body = json.dumps({"errors": [{"code": kind, "message": message}]}) if kind else ""
    registry = FakeRegistry(refusal=(status, body))
    registry.add("latest", [SMALL])
    with pytest.raises(Unavailable, match=words):
        run(registry, images)


def test_the_mirrors_of_a_registry_are_asked_in_order(images: Images) -> None:
    empty, mirror, origin = FakeRegistry(), FakeRegistry(), FakeRegistry()
    mirror.add("latest", [SMALL])

    async def work() -> None:
        async with empty, mirror, origin:
            mirrors = [f"{origin.address}=http://{one.address}" for one in (empty, mirror)]
            await pull(
                f"{origin.address}/x",
                images=images,
                registries=Registries(mirrors),
                progress=lambda _: None,
                platform="linux/amd64",
            )

    asyncio.run(work())
    assert len(empty.seen) == 1
    assert origin.seen == []
    assert images.list()[0].tags == (f"{origin.address}/x:latest",)


async def pull_once(registry: FakeRegistry, images: Images) -> None:
    """Pull without a second attempt."""
    registries = Registries(attempts=1)
    name = f"{registry.address}/x"
    await pull(name, images=images, registries=registries, progress=lambda _: None, platform="linux/amd64")
