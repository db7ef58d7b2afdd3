"""The archives of the corpus on their whole way, worker and store included, by import and by load: an image or
nothing, and never half of one. All of them with PIER_ROUNDS=full, else one of eight.
"""

import asyncio
import json
import os
from pathlib import Path

import pytest

from pier.images.images import Images
from pier.images.importing import import_
from pier.images.loading import load
from pier.spec.errors import InvalidParameter
from tests.images.corpus import REFUSED, Case, cases
from tests.images.tars import Entry, tar
from tests.images.test_import import pieces
from tests.registry.fake import digest_of

pytestmark = pytest.mark.root

CORPUS = cases()[:: 1 if os.environ.get("PIER_ROUNDS") == "full" else 8]


def by_import(images: Images, archive: bytes) -> None:
    """The archive as a root file system."""
    asyncio.run(import_(pieces(archive, 1 << 16), images=images, repository="one"))


def by_load(images: Images, archive: bytes) -> None:
    """The archive as the layer of an image in an archive."""
    config = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(archive)]}}).encode()
    listed = json.dumps([{"Config": "c.json", "RepoTags": ["one:latest"], "Layers": ["l.tar"]}]).encode()
    whole = tar(Entry(b"manifest.json", listed), Entry(b"c.json", config), Entry(b"l.tar", archive))
    asyncio.run(load(pieces(whole, 1 << 16), images=images, report=lambda _: None))


@pytest.mark.parametrize("way", [by_import, by_load])
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
def test_an_image_or_nothing(case: Case, way: object, images: Images, canary: Path) -> None:
    assert callable(way)
    if case.outcome != REFUSED:
        way(images, case.archive)
        assert images.find("one").diff_ids == (digest_of(case.archive),)
        return
    with pytest.raises(InvalidParameter, match=case.reason or None):
        way(images, case.archive)
    assert images.list() == []
    for path in (images.layout.layers, images.layout.blobs, images.layout.tmp):
        assert os.listdir(path) == []
