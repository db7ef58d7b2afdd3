"""An image that has one layer twice (builders make such: the empty layer) comes and goes whole."""

import asyncio
import json

import pytest

from pier.images.images import Images
from pier.images.loading import load
from tests.images.tars import Entry, tar
from tests.images.test_import import pieces
from tests.registry.fake import digest_of

pytestmark = pytest.mark.root

LAYER = tar(Entry(b"f", b"x"))
CONFIG = json.dumps({"os": "linux", "rootfs": {"type": "layers", "diff_ids": [digest_of(LAYER)] * 2}}).encode()
MANIFEST = json.dumps([{"Config": "c.json", "RepoTags": ["twice:1"], "Layers": ["l.tar", "l.tar"]}]).encode()


def test_an_image_with_a_layer_twice_is_loaded_and_removed(images: Images) -> None:
    content = tar(Entry(b"manifest.json", MANIFEST), Entry(b"c.json", CONFIG), Entry(b"l.tar", LAYER))
    asyncio.run(load(pieces(content, 100_000), images=images, report=[].append))
    assert len(images.find("twice:1").diff_ids) == 2
    images.remove("twice:1", force=False, prune=True, in_use=lambda _: [])
    assert images.list() == []
    assert not images.layers.all()
