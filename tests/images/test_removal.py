"""Docker's rules for `rmi` and `tag`, word for word."""

import asyncio
import os
import threading

import pytest

from pier.images.image import Deleted, Image, Untagged
from pier.images.images import Images
from pier.images.importing import import_
from pier.spec import references
from pier.spec.errors import Conflict, InvalidParameter, NotFound
from tests.images.tars import Entry, tar
from tests.images.test_import import pieces

pytestmark = pytest.mark.root

CONTAINER = "c" * 64


def make(images: Images, name: str, content: bytes = b"x") -> Image:
    """An image of one file under a name."""
    archive = tar(Entry(b"file", content))
    return images.by_id(asyncio.run(import_(pieces(archive), images=images, repository=name)))


def remove(
    images: Images, name: str, *, force: bool = False, used: bool = False, running: bool = False
) -> list[object]:
    """`rmi`, with a container on every image or none."""
    users = [CONTAINER] if used or running else []
    return list(
        images.remove(name, force=force, prune=True, in_use=lambda _: users, running=lambda _: users if running else [])
    )


def test_the_last_name_takes_the_image_along(images: Images) -> None:
    image = make(images, "one")
    report = remove(images, "one")
    assert report == [Untagged("one:latest"), Deleted(image.id), Deleted(image.diff_ids[0])]
    assert os.listdir(images.layout.layers) == os.listdir(images.layout.blobs) == []
    with pytest.raises(NotFound, match=r"^No such image: one:latest$"):
        images.find("one")


def test_one_of_two_names_only_untags(images: Images) -> None:
    image = make(images, "one")
    images.tag("one", "two:v2")
    assert remove(images, "two:v2", used=True) == [Untagged("two:v2")]
    assert images.find("one").id == image.id


def test_an_id_removes_a_single_name_and_the_image(images: Images) -> None:
    image = make(images, "one")
    assert remove(images, image.id[7:19])[:2] == [Untagged("one:latest"), Deleted(image.id)]


def test_an_id_with_several_names_needs_force(images: Images) -> None:
    image = make(images, "one")
    images.tag("one", "two")
    short = image.id[7:19]
    with pytest.raises(Conflict) as caught:
        remove(images, short)
    assert caught.value.message == (
        f"conflict: unable to delete {short} (must be forced) - image is referenced in multiple repositories"
    )
    report = remove(images, short, force=True)
    assert report[:3] == [Untagged("one:latest"), Untagged("two:latest"), Deleted(image.id)]


def test_a_name_in_use_needs_force_and_then_keeps_the_layers(images: Images) -> None:
    image = make(images, "one")
    with pytest.raises(Conflict) as caught:
        remove(images, "one", used=True)
    assert caught.value.message == (
        'conflict: unable to remove repository reference "one" (must force) - '
        f"container {CONTAINER[:12]} is using its referenced image {image.id[7:19]}"
    )
    assert remove(images, "one", force=True, used=True) == [Untagged("one:latest"), Deleted(image.id)]
    assert images.list() == []
    with pytest.raises(NotFound):
        images.find(image.id)
    assert images.layer_directories(images.by_id(image.id))[0].is_dir()
    images.sweep()
    assert images.layer_directories(images.by_id(image.id))[0].is_dir()
    images.release(image.id)
    assert os.listdir(images.layout.layers) == []


def test_an_id_in_use_by_a_stopped_container(images: Images) -> None:
    image = make(images, "one")
    with pytest.raises(Conflict) as caught:
        remove(images, image.id, used=True)
    short = image.id[7:19]
    assert caught.value.message == (
        f"conflict: unable to delete {short} (must be forced) - "
        f"image is being used by stopped container {CONTAINER[:12]}"
    )


def test_a_running_container_stands_against_force(images: Images) -> None:
    image = make(images, "one")
    with pytest.raises(Conflict) as caught:
        remove(images, image.id, force=True, running=True)
    short = image.id[7:19]
    assert caught.value.message == (
        f"conflict: unable to delete {short} (cannot be forced) - "
        f"image is being used by running container {CONTAINER[:12]}"
    )
    assert remove(images, "one", force=True, running=True) == [Untagged("one:latest")]


def test_a_shared_layer_stays(images: Images) -> None:
    first = make(images, "one")
    second = images.by_id(asyncio.run(_again(images)))
    assert first.diff_ids == second.diff_ids
    assert remove(images, "one") == [Untagged("one:latest"), Deleted(first.id)]
    assert images.layer_directories(second)[0].is_dir()


async def _again(images: Images) -> str:
    archive = tar(Entry(b"file", b"x"))
    return await import_(pieces(archive), images=images, repository="two", message="another")


def test_a_digest_goes_with_the_last_tag_of_its_repository(images: Images) -> None:
    image = make(images, "one")
    digest = references.parse("one").with_digest("sha256:" + "1" * 64)
    images.layers.hold(image.diff_ids[0])
    images.add(image.raw, names=[digest])
    images.layers.release(image.diff_ids)
    assert images.find("one@sha256:" + "1" * 64).id == image.id
    report = remove(images, "one")
    assert report[:3] == [Untagged("one:latest"), Untagged(digest.familiar), Deleted(image.id)]


def test_a_parent_with_children_stays_until_they_go(images: Images) -> None:
    parent = make(images, "one")
    raw = parent.raw.replace(b"Imported", b"Made")
    child, is_new = images.add(raw, names=[references.parse("child:latest")], parent=parent.id)
    assert is_new
    with pytest.raises(Conflict, match=r"cannot be forced.*image has dependent child images"):
        remove(images, parent.id, force=True)
    assert remove(images, "one") == [Untagged("one:latest")]
    assert remove(images, "child") == [
        Untagged("child:latest"),
        Deleted(child.id),
        Deleted(parent.id),
        Deleted(parent.diff_ids[0]),
    ]


@pytest.mark.parametrize("name", ["none", "none:x", "0" * 64, "sha256:" + "0" * 64, "abcdef"])
def test_what_is_not_there_is_not_found(images: Images, name: str) -> None:
    familiar = name if len(name) > 60 or ":" in name else f"{name}:latest"
    for find in (images.find, lambda text: remove(images, text)):
        with pytest.raises(NotFound, match=f"^No such image: {familiar}$"):
            find(name)


def test_tags_are_checked_in_dockers_words(images: Images) -> None:
    make(images, "one")
    for target, message in (
        ("two@sha256:" + "0" * 64, "refusing to create a tag with a digest reference"),
        ("sha256", "refusing to create an ambiguous tag using digest algorithm as name"),
        ("Two", "must be lowercase"),
    ):
        with pytest.raises(InvalidParameter, match=message):
            images.tag("one", target)
    with pytest.raises(NotFound):
        images.tag("none", "two")


def test_short_ids_must_be_unique(images: Images) -> None:
    ids = [make(images, "", b"%d" % number).id for number in range(20)]
    first = [image_id for image_id in ids if sum(other[7] == image_id[7] for other in ids) > 1]
    if first:
        with pytest.raises(NotFound):
            images.find(first[0][7])
    assert images.find(ids[0][:20]).id == ids[0]


def test_readers_are_never_disturbed_by_writers(images: Images) -> None:
    image = make(images, "one")
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                assert images.find("one").id == image.id
                assert images.find(image.id[7:19]).tags[0] == "one:latest"
                assert len(images.list()) == 1
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(30):
            images.tag("one", f"other:{number}")
        for number in range(30):
            remove(images, f"other:{number}")
    finally:
        done.set()
        for reader in readers:
            reader.join()
    assert failures == []
