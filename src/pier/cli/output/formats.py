"""Lists in the form that `--format` asks for: a table, JSON lines, or a Go template for each row."""

from __future__ import annotations

import sys

from pier.cli.failure import Failure
from pier.cli.templates.functions import FUNCTIONS
from pier.cli.templates.lexer import TemplateError
from pier.cli.templates.template import Template
from pier.cli.templates.values import Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def prepare(form: str) -> tuple[str, bool]:
    """The template's text, and whether it is a table."""
    is_table = form.startswith("table")
    text = form.removeprefix("table").strip(" ")
    if text == "json" and not is_table:
        return "{{json .}}", False
    return text.replace("\\t", "\t").replace("\\n", "\n"), is_table


def _header(value: object, *_: object) -> object:
    return value


HEADER_FUNCTIONS: dict[str, Callable[..., object]] = {
    **FUNCTIONS,
    **dict.fromkeys(("json", "split", "title", "lower", "upper", "truncate", "pad"), _header),
    "join": _header,
    "println": lambda *values: "".join(str(value) for value in values),
}


def template(text: str, functions: dict[str, Callable[..., object]] | None = None) -> Template:
    """A parsed format; a mistake ends the command in Docker's words."""
    try:
        return Template(text, functions)
    except TemplateError as error:
        raise Failure(f"failed to parse template: {error}") from None


def render(form: str, headers: dict[str, str], rows: Iterable[Row]) -> str:
    """The whole list as text, with a line's end after each row."""
    text, is_table = prepare(form)
    parsed = template(text)
    try:
        lines = [parsed.execute(row) for row in rows]
        if not is_table:
            return "".join(line + "\n" for line in lines)
        header_row = Row("header", {name: _constant(title) for name, title in headers.items()}, LABEL_HEADER)
        head = template(text, HEADER_FUNCTIONS).execute(header_row)
    except TemplateError as error:
        raise Failure(f"failed to execute template: {error}") from None
    from pier.cli.output.tables import align  # lazily: `json` and `-q` need no columns

    return align("".join(line + "\n" for line in [head, *lines]))


def check(form: str, empty: Row) -> None:
    """Refuse a template that no row can satisfy, also where there are no rows."""
    try:
        template(prepare(form)[0]).execute(empty)
    except TemplateError as error:
        raise Failure(f"failed to execute template: {error}") from None


def _constant(value: str) -> Callable[[], object]:
    return lambda: value


def _label_header(name: str) -> object:
    """A column of one label has the label's last words as its title."""
    return name.rpartition(".")[2].replace("-", " ").replace("_", " ")


LABEL_HEADER: dict[str, Callable[[str], object]] = {"Label": _label_header}


def show(form: str, headers: dict[str, str], rows: Iterable[Row]) -> None:
    """Render to stdout."""
    sys.stdout.write(render(form, headers, rows))


def show_object(form: str, value: object) -> None:
    """One object by a template or as compact JSON, for `info` and `version`."""
    text, _ = prepare(form)
    parsed = template(text)
    try:
        sys.stdout.write(parsed.execute(value) + "\n")
    except TemplateError as error:
        sys.stdout.write("\n")
        raise Failure(str(error)) from None


def labels_text(labels: object) -> str:
    """`a=b,c=d`, sorted."""
    return ",".join(sorted(f"{key}={value}" for key, value in labels.items())) if isinstance(labels, dict) else ""


def short_id(identity: str) -> str:
    """Twelve digits of an id, without its algorithm."""
    return identity.partition(":")[2][:12] if ":" in identity else identity[:12]


def ellipsis(text: str, size: int) -> str:
    """At most `size` characters, the last one `…` when something was cut."""
    if len(text) <= size:
        return text
    return text[:size] if size == 1 else text[: size - 1] + "…"
