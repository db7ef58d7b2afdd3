"""The reader of archives on anything at all: entries or InvalidParameter, nothing else, whatever the size of the
reads.
"""

import io
import tarfile

from hypothesis import given, settings
from hypothesis import strategies as st

from pier.images import tar_headers
from pier.images.decompress import Source
from pier.images.tar_reader import TarReader
from pier.spec.errors import InvalidParameter
from tests.images.tars import Entry, tar


class Bytes(Source):
    """A source of `step` bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        self._stream = io.BytesIO(content)
        self._step = step

    def read(self, size: int) -> bytes:
        """At most `step` bytes."""
        return self._stream.read(min(size, self._step))


def entries(archive: bytes, step: int = 1 << 20) -> list[tuple[bytes, bytes, bytes]]:
    """Name, kind and content of every entry."""
    reader = TarReader(Bytes(archive, step))
    return [(header.name, header.kind, b"".join(map(bytes, reader.pieces()))) for header in reader]


NAMES = st.binary(min_size=1, max_size=99).filter(lambda name: b"\0" not in name and not name.endswith(b"/"))
ENTRIES = st.lists(st.builds(Entry, NAMES, st.binary(max_size=1500)), max_size=5)


@given(ENTRIES, st.integers(1, 3000))
def test_what_was_written_is_read(written: list[Entry], step: int) -> None:
    assert entries(tar(*written), step) == [(entry.name, b"0", entry.content) for entry in written]


@given(st.binary(max_size=3000), st.integers(1, 3000))
def test_anything_is_entries_or_invalid(content: bytes, step: int) -> None:
    try:
        entries(content, step)
    except InvalidParameter:
        pass


@settings(max_examples=300)
@given(ENTRIES, st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6), st.integers(0, 4000))
def test_a_damaged_archive_is_entries_or_invalid(written: list[Entry], damage: list[tuple[int, int]], cut: int) -> None:
    archive = bytearray(tar(*written))
    for position, value in damage:
        archive[position % len(archive)] = value
    try:
        entries(bytes(archive[: len(archive) - cut % len(archive)]))
    except InvalidParameter:
        pass


@settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(
            [b"path", b"size", b"mtime", b"uid", b"GNU.sparse.map", b"GNU.sparse.major", b"GNU.sparse.realsize"]
        ),
        st.one_of(st.binary(max_size=20), st.integers(-5, 1 << 70).map(lambda number: b"%d" % number)),
    ),
    st.binary(max_size=1200),
)
def test_any_pax_record_is_understood_or_invalid(pax: dict[bytes, bytes], content: bytes) -> None:
    try:
        entries(tar(Entry(b"f", content, pax=pax)))
    except InvalidParameter:
        pass


@given(st.binary(min_size=12, max_size=12))
def test_a_number_is_read_or_invalid(field: bytes) -> None:
    try:
        assert isinstance(tar_headers.number(field), int)
    except InvalidParameter:
        pass


@given(st.integers(-(1 << 60), 1 << 60))
def test_numbers_in_base_256_are_read(value: int) -> None:
    field = bytearray((value % (1 << 96)).to_bytes(12, "big"))
    field[0] |= 0x80
    assert tar_headers.number(bytes(field)) == value


@given(st.integers(-(1 << 32), 1 << 33), st.integers(0, 999_999_999))
def test_times_are_read_to_the_nanosecond(seconds: int, fraction: int) -> None:
    sign = -1 if seconds < 0 else 1
    assert tar_headers.time_ns(b"%d.%09d" % (seconds, fraction)) == seconds * 10**9 + sign * fraction


@settings(max_examples=50)
@given(
    st.lists(st.tuples(st.text("abcé/._-", min_size=1, max_size=150), st.binary(max_size=600)), max_size=4),
    st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_pythons_own_archives_are_read(files: list[tuple[str, bytes]], style: int) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=style) as archive:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    with tarfile.open(fileobj=io.BytesIO(stream.getvalue())) as archive:
        wanted = [member.name.rstrip("/").encode() for member in archive.getmembers()]
    assert [name.rstrip(b"/") for name, _, _ in entries(stream.getvalue())] == wanted
