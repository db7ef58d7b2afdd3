"""Logs as `docker logs` shows them, from files as the keeper writes them."""

import os
import select
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pier.logs.frames import LogQuery, decode, render
from pier.logs.reader import LogReader, frames
from pier.runtime.logfile import LogFile, entries
from pier.spec.logline import LogLine, fixed_time, time_text

NOON = 1_767_268_800_000_000_000


def append(path: Path, *texts: str, stream: str = "stdout", second: int = 0) -> None:
    """Write entries, the first at noon plus `second`, each a second after the other."""
    with path.open("ab") as file:
        for place, text in enumerate(texts):
            time = time_text(NOON + (second + place) * 1_000_000_000).encode()
            file.write(entries(text.encode(), stream.encode(), time))


def shown(path: Path, query: LogQuery | None = None) -> list[tuple[int, str]]:
    """What a client sees: (stream, text) of each frame."""
    return unframed(b"".join(frames(path, query or LogQuery(), lambda: True)))


def unframed(data: bytes) -> list[tuple[int, str]]:
    found = []
    while data:
        stream, size = struct.unpack_from(">BxxxI", data)
        found.append((stream, data[8 : 8 + size].decode()))
        data = data[8 + size :]
    return found


def raw(path: Path, query: LogQuery) -> str:
    return b"".join(frames(path, query, lambda: True)).decode()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log.json"


def test_every_entry_is_a_frame_of_its_stream(log: Path) -> None:
    append(log, "one\n", "två <&>\n")
    append(log, "three", stream="stderr")
    assert shown(log) == [(1, "one\n"), (1, "två <&>\n"), (2, "three")]
    assert raw(log, LogQuery(framed=False)) == "one\ntvå <&>\nthree"


def test_one_stream_can_be_left_out(log: Path) -> None:
    append(log, "one\n")
    append(log, "two\n", stream="stderr")
    assert shown(log, LogQuery(stderr=False)) == [(1, "one\n")]
    assert shown(log, LogQuery(stdout=False)) == [(2, "two\n")]


def test_times_have_nine_digits(log: Path) -> None:
    with log.open("wb") as file:
        file.write(
            entries(b"x\n", b"stdout", b"2026-01-01T12:00:00.5Z") + entries(b"y\n", b"stdout", b"2026-01-01T12:00:01Z")
        )
    assert raw(log, LogQuery(timestamps=True, framed=False)) == (
        "2026-01-01T12:00:00.500000000Z x\n2026-01-01T12:00:01.000000000Z y\n"
    )


def test_details_come_between_time_and_text(log: Path) -> None:
    log.write_text('{"log":"x\\n","stream":"stdout","time":"2026-01-01T12:00:00Z","attrs":{"b":"2 3","a":"1"}}\n')
    assert raw(log, LogQuery(details=True, framed=False)) == "a=1,b=2%203 x\n"
    assert raw(log, LogQuery(details=True, timestamps=True, framed=False)).startswith(
        "2026-01-01T12:00:00.000000000Z a=1"
    )


def test_since_and_until_are_inclusive(log: Path) -> None:
    append(log, *(f"{number}\n" for number in range(6)))
    query = LogQuery(since=time_text(NOON + 2_000_000_000), until=time_text(NOON + 4_000_000_000), framed=False)
    assert raw(log, query) == "2\n3\n4\n"


@pytest.mark.parametrize("count", [0, 1, 2, 99, 100, 101])
def test_tail_counts_from_the_end(log: Path, count: int) -> None:
    append(log, *(f"{number}\n" for number in range(100)))
    expected = [f"{number}\n" for number in range(100)][100 - min(count, 100) :]
    assert [text for _, text in shown(log, LogQuery(tail=count))] == expected


def test_tail_reaches_into_rotated_files(tmp_path: Path) -> None:
    for place, name in enumerate(("log.json.2", "log.json.1", "log.json")):
        append(tmp_path / name, *(f"{place}.{number}\n" for number in range(3)))
    log = tmp_path / "log.json"
    assert raw(log, LogQuery(framed=False)).split() == [f"{file}.{number}" for file in range(3) for number in range(3)]
    assert raw(log, LogQuery(tail=4, framed=False)).split() == ["1.2", "2.0", "2.1", "2.2"]
    assert raw(log, LogQuery(tail=3, framed=False)).split() == ["2.0", "2.1", "2.2"]


def test_tail_finds_its_place_over_many_blocks(log: Path) -> None:
    append(log, *(f"{number} {'x' * 1000}\n" for number in range(500)))
    assert raw(log, LogQuery(tail=300, framed=False)).split("\n", 1)[0].startswith("200 ")


def test_a_log_that_is_not_there_is_empty(log: Path) -> None:
    assert shown(log) == []
    assert shown(log, LogQuery(tail=5)) == []


def test_lines_that_are_no_entries_are_left_out(log: Path) -> None:
    append(log, "one\n")
    with log.open("ab") as file:
        file.write(b'{"log":"cut by a cra\n\xff\xfe\n[]\n')
    append(log, "two\n")
    with log.open("ab") as file:
        file.write(b'{"log":"not yet whol')
    assert shown(log) == [(1, "one\n"), (1, "two\n")]


def test_an_entry_longer_than_our_writers_is_framed_whole() -> None:
    line = LogLine("x" * 100_000, "stdout", "2026-01-01T12:00:00Z")
    assert unframed(render([line], LogQuery())) == [(1, "x" * 100_000)]


def test_in_bulk_neighbours_of_one_stream_share_a_frame() -> None:
    lines = [LogLine(text, stream, "2026-01-01T12:00:00Z") for text, stream in (("a\n", "stdout"), ("b\n", "stdout"))]
    lines.append(LogLine("c\n", "stderr", "2026-01-01T12:00:00Z"))
    assert unframed(render(lines, LogQuery(), bulk=True)) == [(1, "a\nb\n"), (2, "c\n")]
    shown = unframed(render(lines, LogQuery(timestamps=True), bulk=True))
    assert [text.count("2026-01-01T12:00:00.000000000Z") for _, text in shown] == [2, 1]


def test_a_log_of_many_blocks_is_whole_and_has_few_frames(log: Path) -> None:
    text = "".join(f"{number} {'x' * 100}\n" for number in range(40_000))
    with log.open("wb") as file:
        file.write(entries(text.encode(), b"stdout", b"2026-01-01T12:00:00Z"))
    assert "".join(part for _, part in shown(log)) == text
    assert len(shown(log)) < 20_000
    assert len(shown(log, LogQuery(tail=100))) == 100


@contextmanager
def reading(path: Path, query: LogQuery) -> Iterator[LogReader]:
    reader = LogReader(path, query)
    try:
        yield reader
    finally:
        reader.close()


def next_block(reader: LogReader) -> bytes:
    """Wait as the daemon waits: on the descriptor."""
    while not (block := reader.read()):
        assert block is not None
        assert select.select([reader.fileno()], [], [], 60)[0], "no news of the log"
    return block


def test_following_sees_what_is_written_later(log: Path) -> None:
    append(log, "old\n")
    with reading(log, LogQuery(follow=True, tail=0, framed=False)) as reader:
        assert reader.read() == b""
        append(log, "new\n")
        assert next_block(reader) == b"new\n"
        assert reader.read() == b""


def test_following_starts_before_the_log_is_there(log: Path) -> None:
    with reading(log, LogQuery(follow=True, framed=False)) as reader:
        assert reader.read() == b""
        append(log, "first\n")
        assert next_block(reader) == b"first\n"


@pytest.mark.parametrize("files", [1, 2, 3])
def test_following_loses_nothing_while_the_writer_rotates(log: Path, files: int) -> None:
    writer = LogFile(str(log), 2000, files)
    text = b""
    with reading(log, LogQuery(follow=True, framed=False)) as reader:
        for number in range(200):
            writer.write(b"stdout", b"%04d some text\n" % number)
            text += next_block(reader)
    writer.close()
    assert text.split(b"\n")[:-1] == [b"%04d some text" % number for number in range(200)]


def test_a_slow_reader_goes_on_with_the_oldest_file_that_is_left(log: Path) -> None:
    writer = LogFile(str(log), 1000, 3)
    with reading(log, LogQuery(follow=True, framed=False)) as reader:
        writer.write(b"stdout", b"0000 some text\n")
        text = next_block(reader)
        for number in range(1, 200):
            writer.write(b"stdout", b"%04d some text\n" % number)
        while block := reader.read():
            text += block
    writer.close()
    numbers = [int(line[:4]) for line in text.split(b"\n")[:-1]]
    gaps = [(one, other) for one, other in pairwise(numbers) if other != one + 1]
    assert (numbers[0], numbers[-1]) == (0, 199)
    assert len(gaps) == 1  # between the file that was open, long deleted, and the oldest that is left


def test_following_ends_when_the_container_has_stopped_and_all_is_read(log: Path) -> None:
    append(log, "one\n")
    stopped = threading.Event()
    pieces = frames(log, LogQuery(follow=True, framed=False), stopped.is_set)
    assert next(pieces) == b"one\n"
    append(log, "two\n")
    assert next(pieces) == b"two\n"
    append(log, "last\n")
    stopped.set()
    assert list(pieces) == [b"last\n"]


def test_following_until_a_time_ends_at_it(log: Path) -> None:
    append(log, "one\n")
    with reading(log, LogQuery(follow=True, framed=False, until=time_text(NOON + 500_000_000))) as reader:
        assert reader.read() == b"one\n"
        append(log, "late\n", second=1)
        assert reader.read() is None


def test_nothing_stays_open(log: Path) -> None:
    append(log, "one\n")
    before = os.listdir("/proc/self/fd")
    for query in (LogQuery(), LogQuery(follow=True), LogQuery(tail=1)):
        list(frames(log, query, lambda: True))
    assert len(os.listdir("/proc/self/fd")) == len(before)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
@settings(deadline=None)
def test_whatever_is_written_is_read_again(texts: list[str]) -> None:
    block = b"".join(entries(text.encode() + b"\n", b"stdout", b"2026-01-01T12:00:00Z") for text in texts)
    expected = "".join(text + "\n" for text in texts)
    assert render(decode(block), LogQuery(framed=False)).decode() == expected


@given(st.binary(max_size=200))
def test_any_bytes_are_entries_or_nothing(data: bytes) -> None:
    render(decode(data), LogQuery(timestamps=True, details=True))


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_times_sort_as_text(nanoseconds: int) -> None:
    assert time_text(nanoseconds) < time_text(nanoseconds + 1)
    assert fixed_time(time_text(nanoseconds)) == time_text(nanoseconds)
