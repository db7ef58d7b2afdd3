"""Columns as Go's text/tabwriter lays them out with Docker's settings: at least ten wide, three blanks between.

A column is a run of neighbouring lines that have a cell ended by a tab there; text after the last tab is not part
of any column. Pure.
"""

from __future__ import annotations

MINIMUM = 10
PADDING = 3


def align(text: str, *, minimum: int = MINIMUM, padding: int = PADDING) -> str:
    """The text with its tabs replaced by blanks."""
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[list[int]] = [[0] * (len(cells) - 1) for cells in lines]
    _measure(lines, widths, 0, len(lines), 0, minimum, padding)
    return "\n".join(
        "".join(cell + " " * (width - len(cell)) for cell, width in zip(cells, line_widths, strict=False)) + cells[-1]
        for cells, line_widths in zip(lines, widths, strict=True)
    )


def _measure(
    lines: list[list[str]], widths: list[list[int]], start: int, end: int, column: int, minimum: int, padding: int
) -> None:
    position = start
    while position < end:
        if len(lines[position]) - 1 <= column:
            position += 1
            continue
        last = position
        while last < end and len(lines[last]) - 1 > column:
            last += 1
        longest = max(len(lines[index][column]) for index in range(position, last))
        for index in range(position, last):
            widths[index][column] = max(minimum, longest + padding)
        _measure(lines, widths, position, last, column + 1, minimum, padding)
        position = last
