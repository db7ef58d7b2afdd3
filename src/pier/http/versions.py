"""Versions of the Engine API: the range that Pier speaks, and their order (`1.9 < 1.10`)."""

MINIMUM = (1, 24)
MAXIMUM = (1, 50)


def parse(text: str) -> tuple[int, ...]:
    """`"1.50"` → `(1, 50)`. A part that is no number counts as 0, as in Docker's comparison."""
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 10 else 0 for part in text.split("."))


def text(version: tuple[int, ...]) -> str:
    """`(1, 50)` → `"1.50"`."""
    return ".".join(map(str, version))
