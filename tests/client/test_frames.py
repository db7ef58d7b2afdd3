"""The 8-byte frames of attach and logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.client.errors import ProtocolError
from pier.client.frames import demultiplex


def frame(stream: int, payload: bytes) -> bytes:
    return bytes((stream, 0, 0, 0)) + len(payload).to_bytes(4, "big") + payload


@given(st.lists(st.tuples(st.sampled_from((1, 2)), st.binary(max_size=40)), max_size=8), st.integers(1, 9))
def test_payloads_survive_any_cutting_of_the_stream(frames: list[tuple[int, bytes]], size: int) -> None:
    data = b"".join(frame(stream, payload) for stream, payload in frames)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    got = list(demultiplex(pieces))
    for wanted in (1, 2):
        expected = b"".join(payload for stream, payload in frames if stream == wanted)
        assert b"".join(payload for stream, payload in got if stream == wanted) == expected


def test_a_stream_of_another_kind_is_an_error() -> None:
    with pytest.raises(ProtocolError, match="Unrecognized input header: 9"):
        list(demultiplex([frame(9, b"x")]))
