"""Tables, formats, progress, and the order of names."""

import io
import json

import pytest

from pier.cli.failure import Failure
from pier.cli.output import filters, formats
from pier.cli.output.progress import Display, bar
from pier.cli.output.sorting import natural
from pier.cli.output.tables import align
from pier.cli.templates.values import Row


def rows() -> list[Row]:
    names = ("a", "long-name-of-a-thing")
    return [Row("T", {"Name": lambda name=name: name, "Size": lambda: "5B"}) for name in names]  # type: ignore[misc]


HEADERS = {"Name": "NAME", "Size": "SIZE"}


def test_columns_are_ten_wide_at_least_and_three_apart() -> None:
    assert align("A\tB\tC\nlong-value\tx\ty\n") == "A            B         C\nlong-value   x         y\n"


def test_a_column_ends_where_its_neighbours_have_no_cell() -> None:
    assert align("a\tb\nplain\nc\td\n") == "a         b\nplain\nc         d\n"


def test_a_table_has_the_headers_of_its_fields() -> None:
    text = formats.render("table {{.Name}}\\t{{.Size}}", HEADERS, rows())
    assert text == "NAME                   SIZE\na                      5B\nlong-name-of-a-thing   5B\n"


def test_json_is_one_object_a_line() -> None:
    lines = formats.render("json", HEADERS, rows()).splitlines()
    assert json.loads(lines[0]) == {"Name": "a", "Size": "5B"}


def test_a_template_prints_each_row() -> None:
    assert formats.render("{{.Name|upper}}-{{len .Size}}", HEADERS, rows()) == "A-2\nLONG-NAME-OF-A-THING-2\n"


def test_a_field_that_is_not_there_is_named() -> None:
    with pytest.raises(Failure) as failure:
        formats.render("{{.Nope}}", HEADERS, rows())
    expected = 'failed to execute template: template: :1:2: executing "" at <.Nope>: '
    assert failure.value.message == expected + "can't evaluate field Nope in type *T"


def test_filters_are_gathered_by_key() -> None:
    assert filters.encode(["a=1", "A=2", "b=x=y"]) == {"filters": '{"a":{"1":true,"2":true},"b":{"x=y":true}}'}
    assert filters.encode([]) == {}


def test_numbers_in_names_count_as_numbers() -> None:
    assert sorted(["a10", "a9", "b", "a"], key=natural) == ["a", "a9", "a10", "b"]


def test_ids_and_long_texts_are_cut() -> None:
    assert formats.short_id("sha256:" + "a" * 64) == "a" * 12
    assert formats.ellipsis("abcdef", 4) == "abc…"
    assert formats.ellipsis("abcd", 4) == "abcd"


def test_progress_without_a_terminal_leaves_bars_out() -> None:
    stream = io.StringIO()
    messages = (
        b'{"status":"Pulling from x","id":"latest"}',
        b'{"status":"Downloading","progressDetail":{"current":1,"total":2},"id":"abc"}',
        b'{"status":"Pull complete","progressDetail":{},"id":"abc"}',
        b'{"aux":{"ID":"z"}}',
        b'{"stream":"text\\n"}',
    )
    seen: list[object] = []
    Display(stream, seen.append).show(messages)
    assert stream.getvalue() == "latest: Pulling from x\nabc: Pull complete\ntext\n"
    assert seen == [{"ID": "z"}]


def test_an_error_in_the_stream_ends_the_command() -> None:
    with pytest.raises(Failure, match="no space left"):
        Display(io.StringIO()).show([b'{"errorDetail":{"message":"no space left"},"error":"no space left"}'])
    with pytest.raises(Failure, match="invalid progress message"):
        Display(io.StringIO()).show([b"nonsense"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_each_id_keeps_its_line() -> None:
    stream = Terminal()
    Display(stream).show([b'{"status":"Waiting","progressDetail":{},"id":"a"}'] * 2)
    line = "\x1b[1A\x1b[2K\ra: Waiting \r\x1b[1B"
    assert stream.getvalue() == "\n" + line + line


def test_a_bar_shows_how_far_it_is() -> None:
    assert bar({"current": 500, "total": 1000}, 80) == "    500B/1kB"
    assert bar({"current": 500, "total": 1000}, 120).startswith("[" + "=" * 25 + ">" + " " * 25 + "]")
    assert bar({}, 80) == ""
