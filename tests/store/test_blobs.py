"""Blobs: named only when whole and verified, carried on after a break, and careful with a full disk."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pier.spec import digests
from pier.spec.errors import Conflict, InvalidParameter, NoSpace, NotFound
from pier.store.blobs import Blobs
from pier.store.layout import Layout

CONTENT = b"content of a blob" * 1000
DIGEST = "sha256:" + sha256(CONTENT).hexdigest()


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """Blobs in a fresh data root."""
    return make(tmp_path)


def make(root: Path) -> Blobs:
    """Blobs in a data root."""
    layout = Layout(root)
    layout.prepare()
    return Blobs(layout)


def test_a_blob_appears_when_it_is_committed(blobs: Blobs) -> None:
    with blobs.writer(DIGEST, len(CONTENT)) as writer:
        writer.write(CONTENT[:100])
        writer.write(CONTENT[100:])
        assert blobs.size(DIGEST) is None
        writer.commit()
    assert blobs.read(DIGEST, 1 << 20) == CONTENT
    assert blobs.list() == [DIGEST]


def test_what_an_earlier_writer_left_is_carried_on(blobs: Blobs) -> None:
    with blobs.writer(DIGEST, len(CONTENT)) as writer:
        writer.write(CONTENT[:1000])
    with blobs.writer(DIGEST, len(CONTENT)) as writer:
        assert writer.offset == 1000
        writer.write(CONTENT[1000:])
        writer.commit()
    assert blobs.read(DIGEST, 1 << 20) == CONTENT


def test_wrong_content_is_refused_and_forgotten(blobs: Blobs, tmp_path: Path) -> None:
    with blobs.writer(DIGEST) as writer:
        writer.write(b"x" * len(CONTENT))
        with pytest.raises(InvalidParameter, match="filesystem layer verification failed"):
            writer.commit()
    assert blobs.list() == []
    assert os.listdir(tmp_path / "tmp") == []


def test_more_than_was_announced_is_refused(blobs: Blobs) -> None:
    with blobs.writer(DIGEST, 10) as writer, pytest.raises(InvalidParameter, match="larger than"):
        writer.write(b"x" * 11)


def test_less_than_was_announced_is_no_blob(blobs: Blobs) -> None:
    with blobs.writer(DIGEST, len(CONTENT)) as writer:
        writer.write(CONTENT[:10])
        with pytest.raises(InvalidParameter, match="10 bytes instead of"):
            writer.commit()


def test_one_writer_at_a_time(blobs: Blobs) -> None:
    with blobs.writer(DIGEST) as writer:
        with pytest.raises(Conflict):
            blobs.writer(DIGEST)
        writer.write(CONTENT)
        writer.commit()
    with blobs.writer(DIGEST) as again:
        assert again.offset == 0
    assert blobs.read(DIGEST, 1 << 20) == CONTENT


def test_documents_are_kept_by_their_digest(blobs: Blobs) -> None:
    assert blobs.put(CONTENT) == blobs.put(CONTENT) == DIGEST
    with pytest.raises(InvalidParameter):
        blobs.read(DIGEST, 10)
    blobs.delete(DIGEST)
    blobs.delete(DIGEST)
    with pytest.raises(NotFound):
        blobs.read(DIGEST, 10)


@pytest.mark.parametrize(
    "digest", ["", "sha256:..", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "../x", "md5:" + "0" * 64]
)
def test_what_is_no_digest_is_no_path(blobs: Blobs, digest: str) -> None:
    with pytest.raises(InvalidParameter):
        blobs.path(digest)


@pytest.mark.root
def test_a_full_disk_gives_no_space_and_loses_nothing(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(tmp_path)], check=True)
    try:
        blobs = make(tmp_path)
        blobs.put(CONTENT)
        large = os.urandom(4 << 20)
        with blobs.writer(digests.of(large)) as writer, pytest.raises(NoSpace):
            writer.write(large)
        with pytest.raises(NoSpace):
            blobs.put(large)
        assert blobs.list() == [DIGEST]
        assert os.listdir(tmp_path / "tmp") == []
        assert blobs.put(b"small")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_however_often_a_download_breaks_the_blob_is_whole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], data: st.DataObject
) -> None:
    blobs = make(tmp_path_factory.mktemp("blobs"))
    content = b"".join(pieces)
    digest = digests.of(content)
    writer = blobs.writer(digest, len(content))
    for _ in pieces:
        step = data.draw(st.integers(0, 60))
        writer.write(content[writer.offset : writer.offset + step])
        writer.close()
        writer = blobs.writer(digest, len(content))
    writer.write(content[writer.offset :])
    writer.commit()
    writer.close()
    assert blobs.read(digest, 1 << 20) == content
