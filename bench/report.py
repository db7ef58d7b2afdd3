"""The table: for the terminal, for a file of results, and for the README."""

import datetime
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.measure import Row

ROOT = Path(__file__).parents[1]
BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def number(values: Sequence[float]) -> str:
    """A median with three digits."""
    if not values:
        return "–"
    value = statistics.median(values)
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(rows: Sequence[Row]) -> str:
    """Markdown, one line a row."""
    lines = ["| | Docker | Pier | better by | to reach |", "|---|---|---|---|---|"]
    for row in rows:
        ratio = f"{row.ratio:.1f} ×" if row.ratio is not None else "–"
        goals = [f"≥ {row.goal:.3g} ×"] if row.goal is not None else []
        if row.limit is not None:
            goals.append(f"{'≥' if row.more_is_better else '≤'} {row.limit:g} {row.unit}")
        verdict = {True: " ✓", False: " ✗", None: ""}[row.reached]
        figures = (_with_unit(row.dockerd, row.unit), _with_unit(row.pier, row.unit), ratio)
        lines.append(f"| {row.name} | {' | '.join(figures)} | {', '.join(goals)}{verdict} |")
    return "\n".join(lines)


def _with_unit(values: Sequence[float], unit: str) -> str:
    return f"{number(values)} {unit}" if values else "–"


def conditions(pairs: int, peer: str) -> str:
    """On what it was measured."""
    day = datetime.datetime.now(datetime.UTC).date()
    machine = f"Linux {platform.release().split('-')[0]}, {os.cpu_count()} cores (a virtual machine)"
    return f"{pairs} pairs, {day}, {machine}, Python {platform.python_version()}, {peer}."


def keep(text: str) -> None:
    """Append to bench/results/."""
    directory = ROOT / "bench" / "results"
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC)
    (directory / f"{now:%Y%m%d-%H%M%S}.md").write_text(text + "\n")


def write_readme(text: str) -> None:
    """Put the table between the marks in the README."""
    path = ROOT / "README.md"
    head, _, rest = path.read_text().partition(BEGIN)
    _, _, tail = rest.partition(END)
    path.write_text(f"{head}{BEGIN}\n{text}\n{END}{tail}")
