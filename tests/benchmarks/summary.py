"""From samples to figures: medians of each tool, and medians of the ratios of pairs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from operator import add
from statistics import median
from typing import TYPE_CHECKING

from tests.benchmarks.measure import Disk, Usage
from tests.benchmarks.tools import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tests.benchmarks.goals import Goal
    from tests.benchmarks.results import Outcome, Unit
    from tests.benchmarks.rows import Plan

MLSTORE = "mlstore"
ORDER = [tool.name for tool in ALL]


@dataclass(frozen=True, slots=True)
class Figure:
    """What one tool needs for one row. `ratio` is its time over mlstore's, None without a pair; `note` says
    why there are no figures."""

    state: str
    usage: Usage = field(default_factory=Usage)
    samples: int = 0
    ratio: float | None = None
    store: Disk | None = None
    note: str = ""


def middle(samples: Sequence[Usage]) -> Usage:
    """Give the median of each figure."""
    return Usage(
        wall=median(usage.wall for usage in samples),
        user=median(usage.user for usage in samples),
        system=median(usage.system for usage in samples),
        peak=int(median(usage.peak for usage in samples)),
        background=median(usage.background for usage in samples),
    )


class Summary:
    """All units of one workload."""

    def __init__(self, plan: Plan, units: Sequence[Unit]) -> None:
        self.plan = plan
        self.units = [unit for unit in units if unit.workload == plan.workload]

    def tools(self) -> list[str]:
        """Name the tools that have a figure in any row, mlstore first."""
        found = {
            t
            for unit in self.units
            for outcomes in unit.rows.values()
            for t, o in outcomes.items()
            if o.state != "none"
        }
        return [name for name in ORDER if name in found]

    def outcomes(self, unit: Unit, key: str, tool: str) -> list[Outcome]:
        """Give what a tool did in all rows of a key."""
        names = [row.name for row in self.plan.rows if row.key == key]
        return [unit.rows[n][tool] for n in names if n in unit.rows and tool in unit.rows[n]]

    def samples(self, unit: Unit, key: str, tool: str) -> list[Usage]:
        """Give a tool's samples in one unit, rows of one key summed up; none unless all are fine."""
        outcomes = self.outcomes(unit, key, tool)
        if not outcomes or any(o.state != "ok" for o in outcomes):
            return []
        return [reduce(add, parts) for parts in zip(*(o.samples for o in outcomes), strict=True)]

    def figure(self, key: str, tool: str) -> Figure | None:
        """Give the medians, or why there are none; None when it was not measured."""
        units = [unit for unit in self.units if self.outcomes(unit, key, tool)]
        bad = [o for unit in units for o in self.outcomes(unit, key, tool) if o.state != "ok"]
        if not units:
            return None
        if bad:
            worst = min(bad, key=lambda o: ("wrong", "failed", "late", "none").index(o.state))
            return Figure(worst.state, note=worst.note)
        samples = [usage for unit in units for usage in self.samples(unit, key, tool)]
        stores = [store for unit in units if (store := self.outcomes(unit, key, tool)[-1].store) is not None]
        ratios = [ratio for unit in units for ratio in self.ratios(unit, key, tool)]
        return Figure(
            "ok",
            middle(samples),
            len(samples),
            median(ratios) if ratios else None,
            stores[-1] if stores else None,
        )

    def ratios(self, unit: Unit, key: str, tool: str) -> list[float]:
        """Give the ratio of every pair: the tool's time over mlstore's."""
        pairs = zip(self.samples(unit, key, tool), self.samples(unit, key, MLSTORE), strict=False)
        return [theirs.wall / ours.wall for theirs, ours in pairs]

    def growth(self, tool: str) -> int | None:
        """Give the bytes by which version 2 made the store grow."""
        first, second = self.figure("first", tool), self.figure("second", tool)
        if not first or not second or first.store is None or second.store is None:
            return None
        return second.store.bytes - first.store.bytes

    def peak(self, tool: str) -> int | None:
        """Give the most memory that any row took."""
        figures = [
            f
            for key in dict.fromkeys(r.key for r in self.plan.rows)
            if (f := self.figure(key, tool)) and f.state == "ok"
        ]
        return max((f.usage.peak for f in figures), default=None)

    @property
    def size(self) -> int:
        return self.units[0].size if self.units else 0


def measured(goal: Goal, summary: Summary) -> tuple[float, bool] | None:
    """Give the measured figure of a goal and whether it is met; None when it was not measured."""
    if goal.metric == "seconds" and goal.over:
        figures = [summary.figure(goal.row, name) for name in goal.over]
        ratios = [f.ratio for f in figures if f is not None and f.ratio is not None]
        if not ratios:
            return None
        best = min(ratios)
        if goal.at_least is not None:
            return best, best >= goal.at_least
        return 1 / best, 1 / best <= (goal.at_most or 0)
    value = amount(goal, summary, MLSTORE)
    if value is None:
        return None
    if goal.over == ("bytes",):
        value /= summary.size
    elif goal.over:
        others = [other for name in goal.over if (other := amount(goal, summary, name)) is not None]
        if not others:
            return None
        value /= max(1.0, min(others))
    return value, value <= (goal.at_most or 0)


def amount(goal: Goal, summary: Summary, tool: str) -> float | None:
    """Give the figure of one tool that a goal is about."""
    figure = summary.figure(goal.row, tool) if goal.row else None
    ways: dict[str, Callable[[], float | None]] = {
        "seconds": lambda: figure.usage.wall if figure and figure.state == "ok" else None,
        "store": lambda: figure.store.bytes if figure and figure.store else None,
        "files": lambda: figure.store.files if figure and figure.store else None,
        "growth": lambda: summary.growth(tool),
        "peak": lambda: summary.peak(tool),
    }
    return ways[goal.metric]()


def summaries(plans: Iterable[Plan], units: Sequence[Unit]) -> dict[str, Summary]:
    """Sum up each workload that has units."""
    found = {plan.workload: Summary(plan, units) for plan in plans}
    return {name: summary for name, summary in found.items() if summary.units}
