"""Rows that belong together by their place: what was put in or taken out is found, the rest stays aligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mlstore.compare.comparison import Settings
from mlstore.compare.tables.hashes import Hashes, common_ends, count_surplus
from mlstore.compare.tables.pairs import Changes, pair_up
from mlstore.compare.tables.readers import Cursor, Row, Table
from mlstore.compare.text import diff_ranges

# Rows that are aligned in Python take about this many bytes each.
_ROW_COST = 256
# And this much while numpy counts them.
_HASH_COST = 64
# The best pairing of two runs of rows is looked for among so many pairs of rows, and cells.
_MOST_PAIRS = 10_000
_MOST_WORK = 200_000

Span = tuple[int, int, int, int]


@dataclass(slots=True)
class Alignment:
    """Where two tables differ: spans ``old[i1:i2]`` beside ``new[j1:j2]``.

    ``moved`` counts rows that only stand elsewhere; ``uncounted`` is set when there were too many rows to
    align, with the numbers of rows removed and added as sets.
    """

    spans: list[Span] = field(default_factory=list)
    moved: int = 0
    uncounted: tuple[int, int] | None = None


def align(old: Hashes, new: Hashes, settings: Settings) -> Alignment:
    """Find the spans in which two tables differ."""
    front, back = common_ends(old, new)
    span = (front, len(old) - back, front, len(new) - back)
    counts = (span[1] - span[0], span[3] - span[2])
    if not any(counts):
        return Alignment()
    if not all(counts):
        return Alignment([span])
    surplus = count_surplus(old, new, span, settings.memory // _HASH_COST)
    if surplus == (0, 0):
        return Alignment(moved=counts[0])
    if max(counts) > settings.memory // _ROW_COST:
        # Too many to be aligned. As many rows on either side, nearly all of them changed: they are the same
        # rows.
        if counts[0] == counts[1] and surplus[0] * 2 > counts[0]:
            return Alignment([span])
        return Alignment(uncounted=surplus)
    before, after = (
        side.slice(start, stop).tolist() for side, start, stop in ((old, *span[:2]), (new, *span[2:]))
    )
    return Alignment(
        [(front + r.i1, front + r.i2, front + r.j1, front + r.j2) for r in diff_ranges(before, after)]
    )


def compare_spans(
    spans: list[Span],
    old: tuple[Table, Callable[[Row], Row]],
    new: tuple[Table, Callable[[Row], Row]],
    changes: Changes,
) -> None:
    """Read the rows of *spans* and tell what changed in them."""
    before, after = Cursor(*old), Cursor(*new)
    width = max(1, len(changes.names))
    for i1, i2, j1, j2 in spans:
        pairs = (i2 - i1) * (j2 - j1)
        if i2 - i1 == j2 - j1 or pairs > min(_MOST_PAIRS, _MOST_WORK // width) or not pairs:
            _side_by_side(before, after, (i1, i2, j1, j2), changes)
            continue
        one, other = list(before.rows(i1, i2)), list(after.rows(j1, j2))
        for i, j in pair_up(one, other):
            if i is None and j is not None:
                changes.add(j1 + j, other[j])
            elif j is None and i is not None:
                changes.remove(i1 + i, one[i])
            elif i is not None and j is not None:
                changes.change(i1 + i, one[i], j1 + j, other[j])


def _side_by_side(before: Cursor, after: Cursor, span: Span, changes: Changes) -> None:
    i1, i2, j1, j2 = span
    both = min(i2 - i1, j2 - j1)
    pairs = zip(before.rows(i1, i1 + both), after.rows(j1, j1 + both), strict=True)
    for step, (one, other) in enumerate(pairs):
        changes.change(i1 + step, one, j1 + step, other)
    for step, row in enumerate(before.rows(i1 + both, i2)):
        changes.remove(i1 + both + step, row)
    for step, row in enumerate(after.rows(j1 + both, j2)):
        changes.add(j1 + both + step, row)
