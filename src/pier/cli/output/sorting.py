"""The order in which Docker lists names: numbers inside them count as numbers. Pure."""

from __future__ import annotations


def natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts `a2` before `a10`."""
    key: list[tuple[int, int, str]] = []
    position = 0
    while position < len(name):
        end = position
        digit = name[position].isdecimal()
        while end < len(name) and name[end].isdecimal() == digit:
            end += 1
        piece = name[position:end]
        key.append((0, int(piece), piece) if digit else (1, 0, piece))
        position = end
    return key
