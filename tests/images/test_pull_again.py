"""What a pull that broke off leaves to the next: parts of downloads and finished layers; of what is refused, nothing."""

import asyncio
import gzip

import pytest

from pier.images.image import Image
from pier.images.images import Images
from pier.images.pull import pull
from pier.registry.registries import Registries
from pier.spec.errors import NotFound, Unavailable
from pier.store.records import Records
from tests.images.test_pull import BASE, TOP, clean, fetch
from tests.registry.fake import FakeRegistry, digest_of

pytestmark = pytest.mark.root


def test_a_part_is_kept_for_the_next_pull(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [TOP])

    async def work() -> Image:
        async with registry:
            registry.break_after = [1 << 20, 300_000]
            once = Registries(attempts=1)
            with pytest.raises(Unavailable):
                await pull(f"{registry.address}/x", images=images, registries=once, progress=lambda _: None)
            return await fetch(registry, images)

    asyncio.run(work())
    ranges = [seen.headers["Range"] for seen in registry.seen if "Range" in seen.headers]
    assert len(ranges) == 1
    assert ranges[0] != "bytes=0-"


def broken_off_in_the_second_layer(registry: FakeRegistry) -> Registries:
    """Serve the configuration and one layer whole, and break off in the next; one layer is pulled at a time."""
    registry.add("latest", [BASE, TOP])
    registry.break_after = [1 << 20, 1 << 20, 300_000]
    return Registries(attempts=1, downloads=1)


def test_finished_layers_wait_for_the_pull_that_comes_again(images: Images, records: Records) -> None:
    registry = FakeRegistry()
    once = broken_off_in_the_second_layer(registry)

    async def work() -> tuple[Images, Image]:
        async with registry:
            with pytest.raises(Unavailable):
                await pull(f"{registry.address}/x", images=images, registries=once, progress=lambda _: None)
            restarted = Images(records, images.layout)
            restarted.sweep()
            return restarted, await fetch(registry, restarted)

    restarted, image = asyncio.run(work())
    layers = [restarted.layer_of(diff_id).blob for diff_id in image.diff_ids]
    assert [sum(blob in seen.path for seen in registry.seen) for blob in layers] == [1, 2]
    assert restarted.leases.wanted() == set()


def test_finished_layers_go_where_space_is_asked_for(images: Images) -> None:
    registry = FakeRegistry()
    once = broken_off_in_the_second_layer(registry)

    async def work() -> None:
        async with registry:
            with pytest.raises(Unavailable):
                await pull(f"{registry.address}/x", images=images, registries=once, progress=lambda _: None)

    asyncio.run(work())
    assert len(images.layers.all()) == 1
    assert images.reclaim() > 0
    clean(images)


def test_of_an_image_that_is_none_no_layer_stays(images: Images) -> None:
    registry = FakeRegistry()
    registry.add("latest", [BASE, TOP])
    del registry.blobs[digest_of(gzip.compress(TOP, mtime=0))]

    async def work() -> None:
        async with registry:
            with pytest.raises(NotFound):
                await pull(
                    f"{registry.address}/x", images=images, registries=Registries(downloads=1), progress=lambda _: None
                )

    asyncio.run(work())
    assert images.leases.wanted() == set()
    clean(images)
