"""Two columns as bars: how many values fall into each bin, of the rows that are sampled for drift."""

from __future__ import annotations

from typing import Any

from mlstore.compare.tables.columns import Column

BINS = 24
_MOST_NAMES = 12
# Bins that reach out to a few far values show nothing of the others.
_TAIL, _FAR = 0.005, 5.0
# Up to here a float still tells two whole numbers apart.
_EXACT = 1 << 52


def histogram(old: Column, new: Column) -> dict[str, Any] | None:
    """Count the values of two columns; None where that says nothing.

    Numbers give ``edges`` (one more than bins), ``old`` and ``new`` (counts in each bin) and ``outside``
    (counts below the first and above the last edge, old and new), from the sampled rows: ``sizes`` says how
    many these are. Categories give ``names``, ``old`` and ``new``, the most frequent first, and ``others``
    (all the rest).
    """
    if old.is_numeric and new.is_numeric:
        return _numbers(old, new)
    if old.categories and new.categories and not old.is_numeric and not new.is_numeric:
        return _categories(old, new)
    return None


def _numbers(old: Column, new: Column) -> dict[str, Any] | None:
    import numpy as np

    sides = [side[np.isfinite(side)] for side in old.samples_beside(new)]
    if not all(map(len, sides)):
        return None
    pooled = np.concatenate(sides)
    with np.errstate(all="ignore"):
        edges = _edges(pooled, whole={old.dtype, new.dtype} == {"int"})
        if not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
            return None
        counts = [np.histogram(side, edges)[0] for side in sides]
    outside = [[int((side < edges[0]).sum()), int((side > edges[-1]).sum())] for side in sides]
    return {
        "edges": [float(edge) for edge in edges],
        "old": [int(number) for number in counts[0]],
        "new": [int(number) for number in counts[1]],
        "outside": outside,
        "sizes": [len(side) for side in sides],
    }


def _edges(pooled: Any, *, whole: bool) -> Any:
    import numpy as np

    low, high = float(pooled.min()), float(pooled.max())
    inner = [float(value) for value in np.quantile(pooled, [_TAIL, 1 - _TAIL])]
    if inner[1] > inner[0] and high - low > _FAR * (inner[1] - inner[0]):
        low, high = inner
    if whole and high - low < BINS and max(abs(low), abs(high)) < _EXACT:
        return np.arange(np.floor(low) - 0.5, np.ceil(high) + 1)
    if low == high:
        width = abs(low) / 2 or 0.5
        return np.array([low - width, low + width])
    return np.linspace(low, high, BINS + 1)


def _categories(old: Column, new: Column) -> dict[str, Any]:
    assert old.categories is not None
    assert new.categories is not None
    both = old.categories + new.categories
    names = [name for name, _ in sorted(both.items(), key=lambda item: (-item[1], item[0]))[:_MOST_NAMES]]
    counts = [[side[name] for name in names] for side in (old.categories, new.categories)]
    totals = [side.total() for side in (old.categories, new.categories)]
    return {
        "names": [name[:100] for name in names],
        "old": counts[0],
        "new": counts[1],
        "others": [total - sum(shown) for total, shown in zip(totals, counts, strict=True)],
    }
