"""Columns: what is counted while a table streams by, and how far two columns have drifted apart."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.numbers import finite
from mlstore.compare.tables.cells import NULLS, Cells

_SAMPLE = 10_000
_MOST_CATEGORIES = 1000
_TOP = 1 << 64
# With less than this in one group the chi-square distribution is no longer a good likeness.
_LEAST_EXPECTED = 5.0


@dataclass(slots=True)
class Column:
    """One column's summary: counts, mean, deviation and bounds; a sample of its numbers; its categories.

    The sample holds the rows whose hash is below a threshold: the same row is drawn on both sides, so what
    did not change does not seem to drift. ``categories`` is None once there are more than a thousand.
    """

    name: str
    count: int = 0
    nulls: int = 0
    kinds: set[str] = field(default_factory=set)
    numbers: int = 0
    mean: float = 0.0
    _squares: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    sample: list[Any] = field(default_factory=list)
    _sampled: int = 0
    _threshold: int = _TOP
    categories: Counter[str] | None = field(default_factory=Counter)

    def update(self, cells: Cells, draws: Any) -> None:
        """Take in a run of cells; *draws* are the rows' hashes of 64 bits, an array."""
        import numpy as np

        self.count += len(cells.texts)
        self.nulls += cells.nulls
        self.kinds |= cells.kinds
        if cells.numbers is not None:
            there = ~np.isnan(cells.numbers)
            self._take_numbers(cells.numbers[there], draws[there])
        if self.categories is not None and not cells.kinds <= {"int", "float", "null"}:
            self.categories.update(text for text in cells.texts if text not in NULLS)
            if len(self.categories) > _MOST_CATEGORIES:
                self.categories = None

    def _take_numbers(self, values: Any, draws: Any) -> None:
        import numpy as np

        if not len(values):
            return
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        with np.errstate(all="ignore"):
            mean = float(values.mean())
            squares = float(((values - mean) ** 2).sum())
        # Chan's way to put two means and two sums of squares together.
        total, step = self.numbers + len(values), mean - self.mean
        self._squares += squares + step * step * self.numbers * len(values) / total
        self.mean += step * len(values) / total
        self.numbers = total
        self._draw(values, draws)

    def _draw(self, values: Any, draws: Any) -> None:
        import numpy as np

        wanted = draws <= np.uint64(self._threshold - 1)
        self.sample.append((draws[wanted], values[wanted]))
        self._sampled += int(wanted.sum())
        while self._sampled > 2 * _SAMPLE and self._threshold > 1:
            self._threshold //= 2
            all_draws, all_values = self._whole_sample()
            kept = all_draws <= np.uint64(self._threshold - 1)
            if not kept.any():  # the same few rows again and again
                self._threshold *= 2
                self.sample = [(all_draws[: 2 * _SAMPLE], all_values[: 2 * _SAMPLE])]
                self._sampled = len(self.sample[0][0])
                break
            self.sample = [(all_draws[kept], all_values[kept])]
            self._sampled = int(kept.sum())

    def _whole_sample(self) -> tuple[Any, Any]:
        import numpy as np

        if not self.sample:
            return np.empty(0, np.uint64), np.empty(0)
        return tuple(np.concatenate(part) for part in zip(*self.sample, strict=True))  # type: ignore[return-value]

    def sampled_below(self, threshold: int) -> Any:
        """Give the sampled numbers of rows whose hash is below *threshold*, sorted."""
        import numpy as np

        draws, values = self._whole_sample()
        return np.sort(values[draws <= np.uint64(threshold - 1)])

    def samples_beside(self, other: Column) -> tuple[Any, Any]:
        """Give the sorted samples of two columns, drawn by one threshold: the same rows on both sides."""
        threshold = min(self._threshold, other._threshold)
        return self.sampled_below(threshold), other.sampled_below(threshold)

    @property
    def dtype(self) -> str:
        """What pandas would take it for: int, float, bool, text or empty."""
        kinds = self.kinds - {"null"}
        if not kinds:
            return "empty"
        if kinds <= {"int", "float"}:
            return "int" if kinds == {"int"} and not self.nulls else "float"
        return "bool" if kinds == {"bool"} and not self.nulls else "text"

    @property
    def std(self) -> float:
        """The sample's standard deviation, 0 for fewer than two numbers."""
        return math.sqrt(max(0.0, self._squares) / (self.numbers - 1)) if self.numbers > 1 else 0.0

    @property
    def is_numeric(self) -> bool:
        """Whether its values are numbers."""
        return self.dtype in ("int", "float")

    def to_dict(self) -> dict[str, Any]:
        """Give the summary for JSON."""
        found: dict[str, Any] = {"dtype": self.dtype, "count": self.count, "nulls": self.nulls}
        if self.is_numeric and self.numbers:
            found |= {
                "mean": finite(self.mean),
                "std": finite(self.std),
                "min": finite(self.low),
                "max": finite(self.high),
            }
        elif self.categories is not None:
            found["distinct"] = len(self.categories)
        return found


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column has drifted: a test's p-value never stands alone, but with effect and sample sizes."""

    test: str
    statistic: float
    p_value: float
    effect_name: str
    effect: float
    sizes: tuple[int, int]

    def __str__(self) -> str:
        return (
            f"{self.test} = {self.statistic:.3g}, p = {self.p_value:.2g}, "
            f"{self.effect_name} = {self.effect:.3g}, "
            f"n = {self.sizes[0]} and {self.sizes[1]}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {
            "test": self.test,
            "statistic": finite(self.statistic),
            "p_value": finite(self.p_value),
            "effect_name": self.effect_name,
            "effect": finite(self.effect),
            "sizes": list(self.sizes),
        }


def drift(old: Column, new: Column) -> Drift | None:
    """Test whether two columns have the same distribution; None where no test fits."""
    if old.is_numeric and new.is_numeric:
        return _kolmogorov_smirnov(old, new)
    if old.categories and new.categories and not old.is_numeric and not new.is_numeric:
        return _chi_square(old.categories, new.categories)
    return None


def _kolmogorov_smirnov(old: Column, new: Column) -> Drift | None:
    import numpy as np

    before, after = old.samples_beside(new)
    n, m = len(before), len(after)
    if not n or not m:
        return None
    points = np.concatenate([before, after])
    shares = (np.searchsorted(side, points, "right") / len(side) for side in (before, after))
    distance = float(np.abs(next(shares) - next(shares)).max())
    p_value = _kolmogorov(distance * math.sqrt(n * m / (n + m)))
    pooled = math.sqrt((old.std**2 + new.std**2) / 2)
    shift = (new.mean - old.mean) / pooled if pooled else 0.0 if new.mean == old.mean else math.inf
    return Drift("KS D", distance, p_value, "shift in standard deviations", shift, (n, m))


def _kolmogorov(x: float) -> float:
    """Give the probability that the Kolmogorov distribution exceeds *x*."""
    if x < 0.2:
        return 1.0
    total = math.fsum((1 if k % 2 else -1) * math.exp(-2 * k * k * x * x) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * total))


def _chi_square(old: Counter[str], new: Counter[str]) -> Drift:
    """Compare the shares of categories: rare ones count together."""
    n, m = old.total(), new.total()
    groups: dict[str, list[int]] = {}
    for name in old.keys() | new.keys():
        both = old[name] + new[name]
        rare = both * min(n, m) / (n + m) < _LEAST_EXPECTED
        group = groups.setdefault("" if rare else f"={name}", [0, 0])
        group[0], group[1] = group[0] + old[name], group[1] + new[name]
    statistic = stability = 0.0
    for one, other in groups.values():
        share = (one + other) / (n + m)
        statistic += (one - n * share) ** 2 / (n * share) + (other - m * share) ** 2 / (m * share)
        # Half a count where there is none: a logarithm of zero says nothing.
        before, after = max(one, 0.5) / n, max(other, 0.5) / m
        stability += (after - before) * math.log(after / before)
    p_value = _chi_square_tail(statistic, len(groups) - 1) if len(groups) > 1 else 1.0
    return Drift("chi-square", statistic, p_value, "PSI", stability, (n, m))


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """Give the probability that chi-square with so many degrees of freedom exceeds *statistic*."""
    a, x = freedom / 2, statistic / 2
    if x <= 0:
        return 1.0
    scale = math.exp(min(0.0, -x + a * math.log(x) - math.lgamma(a)))
    if x < a + 1:  # a series converges here, a continued fraction beyond
        term = total = 1 / a
        for k in range(1, 10_000):
            term *= x / (a + k)
            total += term
            if term < total * 1e-15:
                break
        return max(0.0, 1 - total * scale)
    b, c = x + 1 - a, 1e300
    d = 1 / b
    result = d
    for k in range(1, 10_000):
        step = -k * (k - a)
        b += 2
        d = 1 / (step * d + b or 1e-300)
        c = b + step / c or 1e-300
        result *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return min(1.0, result * scale)
