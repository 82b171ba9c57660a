"""Rows that belong together by their key columns, wherever they stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.tables.hashes import Hashes
from mlstore.compare.tables.pairs import Changes
from mlstore.compare.tables.readers import Cursor, Row, Table
from mlstore.compare.tables.scan import Scan

# What numpy takes for each row while two parts are matched.
_ROW_COST = 128
# A row that waits for its other version takes about this many bytes a cell.
_CELL_COST = 100


@dataclass(slots=True)
class Matching:
    """Row numbers: those only in the old table, only in the new one, and pairs that differ.

    At most *kept* of each are listed; ``added``, ``removed`` and ``changed`` are the full counts.
    ``repeated`` is how many rows have a key that another row has as well: then nothing else here means
    anything.
    """

    old_only: list[int] = field(default_factory=list)
    new_only: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    changed: int = 0
    repeated: int = 0


def match(old: Scan, new: Scan, memory: int, kept: int) -> Matching:
    """Match two tables by the hashes of their keys, a part of the hashes' range at a time."""
    import numpy as np

    found = Matching()
    rows = max(len(old.rows), len(new.rows))
    parts = 1 << max(0, (rows * _ROW_COST // max(1, memory)).bit_length())
    for part in range(parts):
        one, other = (_part(side, part, parts) for side in (old, new))
        for keys, _, _ in (one, other):
            found.repeated += len(keys) - len(np.unique(keys))
        if found.repeated:
            return found
        _, mine, yours = np.intersect1d(one[0], other[0], assume_unique=True, return_indices=True)
        differ = one[1][mine] != other[1][yours]
        pairs = zip(one[2][mine[differ]].tolist(), other[2][yours[differ]].tolist(), strict=True)
        gone, come = (np.delete(side[2], same) for side, same in ((one, mine), (other, yours)))
        found.changed += int(differ.sum())
        found.removed += len(gone)
        found.added += len(come)
        found.pairs = sorted([*found.pairs, *pairs])[:kept]
        found.old_only = sorted([*found.old_only, *np.sort(gone)[:kept].tolist()])[:kept]
        found.new_only = sorted([*found.new_only, *np.sort(come)[:kept].tolist()])[:kept]
    return found


def _part(side: Scan, part: int, parts: int) -> tuple[Any, Any, Any]:
    """Give keys, rows and numbers of the rows whose key falls into *part*."""
    import numpy as np

    keys, rows, numbers = [], [], []
    start = 0
    for key, row in zip(_chunks(side.keys), _chunks(side.rows), strict=True):
        wanted = np.flatnonzero(key % np.uint64(parts) == part)
        keys.append(key[wanted])
        rows.append(row[wanted])
        numbers.append(wanted + start)
        start += len(key)
    empty = np.empty(0, np.uint64)
    return tuple(np.concatenate(found) if found else empty for found in (keys, rows, numbers))  # type: ignore[return-value]


def _chunks(hashes: Hashes | None) -> Any:
    return hashes.chunks() if hashes is not None else iter(())


def most_kept(memory: int, width: int) -> int:
    """Give how many rows of *width* cells may wait for their other version."""
    return max(1000, memory // 4 // (_CELL_COST * max(1, width)))


def compare_matched(
    found: Matching,
    old: tuple[Table, Callable[[Row], Row]],
    new: tuple[Table, Callable[[Row], Row]],
    changes: Changes,
) -> int:
    """Read the listed rows and tell what changed; give how many changed rows were not read."""
    partner = dict(found.pairs)
    waiting: dict[int, tuple[int, Row]] = {}
    cursor = Cursor(*old)
    for number in sorted({*found.old_only, *partner}):
        row = next(cursor.rows(number, number + 1))
        if number in partner:
            waiting[partner[number]] = (number, row)
        else:
            changes.remove(number, row)
    cursor = Cursor(*new)
    for number in sorted({*found.new_only, *waiting}):
        row = next(cursor.rows(number, number + 1))
        if number in waiting:
            changes.change(*waiting[number], number, row)
        else:
            changes.add(number, row)
    unread = found.changed - len(found.pairs)
    more = found.removed - len(found.old_only), found.added - len(found.new_only)
    changes.removed += more[0]
    changes.added += more[1]
    changes.changed += unread
    changes.details.count_more(sum(more) + unread)
    return unread
