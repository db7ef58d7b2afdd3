"""`pier events`: what happens in the daemon, as it happens."""

from __future__ import annotations

import json
import sys
import time

from pier.cli.command import Cli, Definition
from pier.cli.failure import Failure
from pier.cli.output import filters, formats, times
from pier.cli.templates.lexer import TemplateError
from pier.cli.templates.values import Row, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pier.cli.flags import Parsed
    from pier.cli.templates.template import Template

FLAGS = """
-f, --filter filter   Filter output based on conditions provided
    --format string   @format-inspect
    --since string    Show all events created since timestamp
    --until string    Stream events until this timestamp
"""


def run(cli: Cli, flags: Parsed, _arguments: list[str]) -> None:
    """Follow the stream and print each event."""
    query: dict[str, str | list[str]] = {**filters.encode(flags.many("filter"))}
    for name in ("since", "until"):
        try:
            point = times.parse_point(flags.text(name), time.time())
        except ValueError as error:
            raise Failure(str(error)) from None
        if point:
            query[name] = point
    form = flags.text("format")
    text, is_table = formats.prepare(form)
    if is_table:
        raise Failure("Error parsing format: template: :1: table is not supported for events", 64)
    template = formats.template(text) if form and form != "json" else None
    for line in cli.client.open("GET", "/events", query).lines():
        if form == "json":
            sys.stdout.write(line.decode("utf-8", "replace").strip() + "\n")
        else:
            event = json.loads(line)
            sys.stdout.write((_rendered(template, event) if template else describe(event)) + "\n")
        sys.stdout.flush()


def _rendered(template: Template, event: dict[str, Any]) -> str:
    try:
        return template.execute(_Event(event))
    except TemplateError as error:
        raise Failure(f"Error parsing format: {error}", 64) from None


def describe(event: dict[str, Any]) -> str:
    """The event on one line, with its attributes sorted."""
    moment = times.rfc3339(event["timeNano"]) if event.get("timeNano") else times.rfc3339(event["time"] * times.NANO)
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    text = f"{moment} {event['Type']} {event['Action']} {actor.get('ID', '')}"
    if attributes:
        text += " (" + ", ".join(f"{key}={attributes[key]}" for key in sorted(attributes)) + ")"
    return text


class _Event(Row):
    """An event by the names of Go's fields; `json` shows it as it came."""

    __slots__ = ("event",)

    def __init__(self, event: dict[str, Any]) -> None:
        actor = event.get("Actor") or {}
        values: dict[str, object] = {
            "Status": event.get("status", ""),
            "ID": event.get("id", ""),
            "From": event.get("from", ""),
            "Type": event["Type"],
            "Action": event["Action"],
            "Actor": Struct({"ID": actor.get("ID", ""), "Attributes": dict(actor.get("Attributes") or {})}),
            "Scope": event.get("scope", ""),
            "Time": event.get("time", 0),
            "TimeNano": event.get("timeNano", 0),
        }
        super().__init__("events.Message", {name: _constant(value) for name, value in values.items()})
        self.event = event

    def json(self) -> dict[str, object]:
        return self.event


def _constant(value: object) -> Callable[[], object]:
    return lambda: value


DEFINITIONS = {"system events": Definition("[OPTIONS]", run, flags=FLAGS, most=0)}
