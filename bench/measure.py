"""Figures: timing, medians, memory of processes. Pure but for the clock and /proc."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

Thing = TypeVar("Thing")


@dataclass
class Row:
    """One line of the result: values of both engines in `unit`, and what is to be reached.

    `goal` is the ratio (dockerd ÷ Pier, or Pier ÷ dockerd where more is better), `limit` the bound on Pier's median.
    """

    name: str
    unit: str
    pier: list[float] = field(default_factory=list)
    dockerd: list[float] = field(default_factory=list)
    more_is_better: bool = False
    goal: float | None = None
    limit: float | None = None

    def of(self, kind: str) -> list[float]:
        """The values of an engine of this kind."""
        return self.pier if kind == "pierd" else self.dockerd

    @property
    def ratio(self) -> float | None:
        """How many times better Pier is: the median over the pairs of each pair's ratio."""
        if not self.pier or not self.dockerd:
            return None
        if len(self.pier) == len(self.dockerd):
            pairs = zip(self.pier, self.dockerd, strict=True)
            ratio = statistics.median(theirs / ours if ours else 0.0 for ours, theirs in pairs)
            return 1 / ratio if self.more_is_better and ratio else ratio
        ours, theirs = statistics.median(self.pier), statistics.median(self.dockerd)
        return ours / theirs if self.more_is_better else theirs / ours

    @property
    def reached(self) -> bool | None:
        """Whether goal and limit hold; nothing where neither is set or measured."""
        if not self.pier:
            return None
        verdicts = []
        if self.limit is not None:
            median = statistics.median(self.pier)
            verdicts.append(median >= self.limit if self.more_is_better else median <= self.limit)
        if self.goal is not None and self.ratio is not None:
            verdicts.append(self.ratio >= self.goal)
        return all(verdicts) if verdicts else None


def seconds(work: Callable[[], object]) -> float:
    """Run `work` and give how long it took."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turn(things: Sequence[Thing], turn: int) -> Sequence[Thing]:
    """The first one first in even turns, last in odd ones: each has to bear what the other leaves in the background."""
    return things if turn % 2 == 0 else things[::-1]


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def pss_mib(pids: Sequence[int]) -> float:
    """Proportional set size of processes together, in MiB: shared pages are divided among those that share them."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024
