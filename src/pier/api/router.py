"""Routes as data, and the table that finds one: the first registered template that matches, as Docker's mux does.

A template is a path without the version. `{name}` matches one segment, `{name:*}` any text with slashes (image names).
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pier.api.errors import PageNotFound
from pier.spec.errors import InvalidParameter

if TYPE_CHECKING:
    from pier.api.requests import Request
    from pier.api.responses import Answer
    from pier.engine.engine import Engine

Handler = Callable[["Request", "Engine"], Awaitable["Answer"]]

_VERSION = re.compile(r"/v([0-9.]+)(/.*)", re.DOTALL)
_VARIABLE = re.compile(r"\{(\w+)(:\*)?\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint. `cancellable`: the handler only watches or streams, so that it ends when its client goes away;
    handlers that change something run to their end. `since`: the first API version that has it."""

    method: str
    template: str
    handler: Handler
    since: str = "1.24"
    cancellable: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A route found for a path: the version asked for (None: newest) and the path's variables."""

    route: Route
    version: str | None
    variables: dict[str, str]


class Router:
    """Finds the route of a method and a path."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._fixed: dict[tuple[str, str], Route] = {}
        self._patterns: dict[tuple[str, str], list[tuple[re.Pattern[str], Route]]] = {}
        for route in routes:
            self._add(route)

    def _add(self, route: Route) -> None:
        if "{" not in route.template:
            self._fixed.setdefault((route.method, route.template), route)
            return
        key = route.method, _first_segment(route.template)
        self._patterns.setdefault(key, []).append((_compile(route.template), route))

    def find(self, method: str, raw_path: str) -> Match:
        """The route of `raw_path` (percent-encoded, without the query). Raises PageNotFound."""
        path, version = unquote_path(raw_path), None
        if versioned := _VERSION.fullmatch(path):
            version, path = versioned.groups()
        route = self._fixed.get((method, path))
        if route is not None:
            return Match(route, version, {})
        for pattern, route in self._patterns.get((method, _first_segment(path)), ()):
            if matched := pattern.fullmatch(path):
                return Match(route, version, matched.groupdict())
        raise PageNotFound


def unquote_path(raw_path: str) -> str:
    """Percent-decoding, refused where the bytes are no UTF-8 or hold NUL (no name of ours has either)."""
    if "%" not in raw_path:
        return raw_path
    try:
        path = unquote(raw_path, errors="strict")
    except UnicodeDecodeError:
        raise InvalidParameter("the path is not valid UTF-8") from None
    if "\0" in path:
        raise InvalidParameter("the path holds a NUL byte")
    return path


def _first_segment(path: str) -> str:
    end = path.find("/", 1)
    return path[1:end] if end > 0 else path[1:]


def _compile(template: str) -> re.Pattern[str]:
    def group(variable: re.Match[str]) -> str:
        return f"(?P<{variable[1]}>.+)" if variable[2] else f"(?P<{variable[1]}>[^/]+)"

    return re.compile(_VARIABLE.sub(group, template), re.DOTALL)
