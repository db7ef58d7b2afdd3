"""`--filter key=value` gathered into the JSON that the API takes."""

from __future__ import annotations

from pier.client.documents import encode as document


def encode(given: list[str]) -> dict[str, str | list[str]]:
    """The query that carries these filters; nothing without filters."""
    gathered: dict[str, dict[str, bool]] = {}
    for item in given:
        key, _, value = item.partition("=")
        gathered.setdefault(key.strip().lower(), {})[value.strip()] = True
    return {"filters": document(gathered)} if gathered else {}
