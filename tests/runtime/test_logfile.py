"""The json-file writer: Docker's escapes, long lines, unfinished lines, rotation."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pier.runtime.logfile import LONGEST_LINE, LogFile, entries, escape, timestamp


def logs(path: Path) -> list[str]:
    """The texts of a log's entries."""
    return [json.loads(line)["log"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000_123_456_789, "2023-11-14T22:13:20.123456789Z"),
        (1_700_000_000_120_000_000, "2023-11-14T22:13:20.12Z"),
        (1_700_000_000_000_000_001, "2023-11-14T22:13:20.000000001Z"),
    ],
)
def test_times_are_gos(nanoseconds: int, text: str) -> None:
    assert timestamp(nanoseconds) == text.encode()


@pytest.mark.parametrize(
    ("plain", "escaped"),
    [
        (b"plain", b"plain"),
        (b'"\\', b'\\"\\\\'),
        (b"<&>", b"\\u003c\\u0026\\u003e"),
        (b"\r\t\x00\x1b[0m", b"\\r\\u0009\\u0000\\u001b[0m"),
        (b"\x7f", b"\x7f"),
        ("é\u2028\u2029".encode(), "é\\u2028\\u2029".encode()),
        (b"\xff\xfea", b"\\ufffd\\ufffda"),
    ],
)
def test_escapes_are_dockers(plain: bytes, escaped: bytes) -> None:
    assert escape(plain) == escaped


def test_each_line_is_an_entry() -> None:
    assert entries(b"one\n\ntwo", b"stderr", b"T") == (
        b'{"log":"one\\n","stream":"stderr","time":"T"}\n'
        b'{"log":"\\n","stream":"stderr","time":"T"}\n'
        b'{"log":"two","stream":"stderr","time":"T"}\n'
    )


@given(st.lists(st.binary(max_size=60), max_size=8))
def test_whatever_is_written_is_read_back(chunks: list[bytes]) -> None:
    text = b"".join(chunks)
    if not text:
        return
    lines = [json.loads(line)["log"] for line in entries(text, b"stdout", b"T").splitlines()]
    strict = text.decode(errors="surrogateescape")
    expected = "".join("\ufffd" if "\udc80" <= character <= "\udcff" else character for character in strict)
    assert "".join(lines) == expected
    assert all(line.count("\n") <= 1 and line.find("\n") in (-1, len(line) - 1) for line in lines)


def test_long_lines_are_cut(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 0, 1)
    log.write(b"stdout", b"a" * (2 * LONGEST_LINE + 5) + b"\nshort\n")
    log.close()
    assert [len(text) for text in logs(tmp_path / "log")] == [LONGEST_LINE, LONGEST_LINE, 6, 6]


def test_an_unfinished_line_waits_for_its_end(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 0, 1)
    log.write(b"stdout", b"first ha")
    log.write(b"stderr", b"other\n")
    assert logs(tmp_path / "log") == ["other\n"]
    log.write(b"stdout", b"lf\nrest")
    log.close()
    assert logs(tmp_path / "log") == ["other\n", "first half\n", "rest"]


def test_rotation_keeps_whole_entries_and_as_many_files_as_asked(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 400, 3)
    for number in range(40):
        log.write(b"stdout", b"line %d\n" % number)
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2"]
    texts = logs(tmp_path / "log.2") + logs(tmp_path / "log.1") + logs(tmp_path / "log")
    assert texts == [f"line {number}\n" for number in range(40 - len(texts), 40)]
    assert all(path.stat().st_size <= 400 for path in tmp_path.iterdir())


def test_a_big_chunk_is_spread_over_files(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 1000, 100)
    log.write(b"stdout", b"".join(b"line %d\n" % number for number in range(200)))
    log.close()
    files = sorted(tmp_path.iterdir(), key=lambda path: -int(path.suffix[1:] or 0))
    assert [text for path in files for text in logs(path)] == [f"line {number}\n" for number in range(200)]


def test_one_file_starts_again(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 200, 1)
    for number in range(10):
        log.write(b"stdout", b"line %d\n" % number)
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert logs(tmp_path / "log")[-1] == "line 9\n"


def test_an_entry_longer_than_a_file_is_written_whole(tmp_path: Path) -> None:
    log = LogFile(str(tmp_path / "log"), 50, 2)
    log.write(b"stdout", b"x" * 100 + b"\n")
    log.write(b"stdout", b"y\n")
    log.close()
    assert logs(tmp_path / "log.1") == ["x" * 100 + "\n"]
    assert logs(tmp_path / "log") == ["y\n"]
