"""The 8-byte frames: what is written is read again, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.http import frames

PIECES = st.lists(st.tuples(st.sampled_from([0, 1, 2, 3]), st.binary(max_size=300)), max_size=8)


def joined(pieces: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Neighbouring pieces of one stream as one, empty ones left out."""
    result: list[tuple[int, bytes]] = []
    for stream, payload in pieces:
        if payload and result and result[-1][0] == stream:
            result[-1] = stream, result[-1][1] + payload
        elif payload:
            result.append((stream, payload))
    return result


@given(PIECES, st.integers(1, 40))
def test_frames_survive_any_cut(pieces: list[tuple[int, bytes]], step: int) -> None:
    wire = b"".join(frames.frame(stream, payload) for stream, payload in pieces)
    reader = frames.FrameReader()
    read = [piece for at in range(0, len(wire), step) for piece in reader.feed(wire[at : at + step])]
    assert joined(read) == joined(pieces)
    assert reader.whole


def test_a_cut_stream_is_not_whole() -> None:
    reader = frames.FrameReader()
    assert list(reader.feed(frames.frame(1, b"abc")[:-1])) == [(1, b"ab")]
    assert not reader.whole


def test_an_unknown_stream_is_refused() -> None:
    with pytest.raises(frames.BrokenFrame, match="unrecognized stream: 9"):
        list(frames.FrameReader().feed(frames.header(9, 1)))


@given(st.binary(max_size=200))
def test_any_bytes_are_pieces_or_a_broken_frame(data: bytes) -> None:
    try:
        list(frames.FrameReader().feed(data))
    except frames.BrokenFrame:
        pass
