"""Pairs of rows that belong together: which of their cells changed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from mlstore.compare.comparison import Details, Settings
from mlstore.compare.numbers import finite
from mlstore.compare.tables.cells import Cell
from mlstore.compare.tables.readers import Row


@dataclass(slots=True)
class Changes:
    """Counts of changed rows and cells; the first of them go into ``details``.

    ``by_column`` has for each changed column how many cells changed and the largest distance of two numbers.
    """

    names: tuple[str, ...]
    details: Details
    settings: Settings
    added: int = 0
    removed: int = 0
    changed: int = 0
    cells: int = 0
    beyond: int = 0
    by_column: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, number: int, row: Row) -> None:
        """Take in a row (numbered from 0) that only the new table has."""
        self.added += 1
        self.details.add("added", f"row {number + 1}", new=_show(row))

    def remove(self, number: int, row: Row) -> None:
        """Take in a row that only the old table has."""
        self.removed += 1
        self.details.add("removed", f"row {number + 1}", old=_show(row))

    def change(self, old_number: int, old: Row, number: int, new: Row) -> None:
        """Take in two rows that belong together; with nothing in common one row went and one came."""
        pairs = [(name, one, other) for name, one, other in zip(self.names, old, new, strict=True)
                 if one != other and Cell(one).text != Cell(other).text]  # fmt: skip
        if not pairs:
            return
        if len(pairs) == len(self.names) > 1:
            self.remove(old_number, old)
            self.add(number, new)
            return
        self.changed += 1
        self.cells += len(pairs)
        note = "" if old_number == number else f"was row {old_number + 1}"
        for name, one, other in pairs:
            distance = self._measure(name, one, other)
            text = f"|d| = {distance:.3g}" if distance is not None else ""
            where = f"row {number + 1}, column '{name}'"
            self.details.add("changed", where, one, other, ", ".join(filter(None, (text, note))))

    def _measure(self, name: str, old: str, new: str) -> float | None:
        entry = self.by_column.setdefault(name, [0, 0.0])
        entry[0] += 1
        before, after = Cell(old), Cell(new)
        if before.number is None or after.number is None:
            self.beyond += 1
            return None
        distance = abs(after.number - before.number)
        if before.kind == after.kind == "int":  # beyond 2**53 floats cannot tell them apart
            distance = _to_float(abs(int(after.text) - int(before.text)))
        entry[1] = max(entry[1], distance)
        limit = self.settings.atol + self.settings.rtol * abs(before.number)
        self.beyond += not (distance <= limit and distance < math.inf)
        return distance

    def columns_to_dict(self) -> dict[str, Any]:
        """Give what changed in each column, for JSON."""
        return {
            name: {"cells": count, "max_abs": finite(distance)}
            for name, (count, distance) in self.by_column.items()
        }


def _to_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _show(row: Row) -> str:
    return ", ".join(row)


def pair_up(old: list[Row], new: list[Row]) -> list[tuple[int | None, int | None]]:
    """Say which rows of two short runs belong together: the pairing in which most cells agree, in order.

    (i, None) is a row that went, (None, j) one that came.
    """
    texts = [[[Cell(cell).text for cell in row] for row in side] for side in (old, new)]
    same = [[_agreement(one, other) for other in texts[1]] for one in texts[0]]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i in reversed(range(len(old))):
        for j in reversed(range(len(new))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], best[i + 1][j + 1] + same[i][j])
    pairs: list[tuple[int | None, int | None]] = []
    i = j = 0
    while i < len(old) or j < len(new):
        if i < len(old) and j < len(new) and same[i][j] and best[i][j] == best[i + 1][j + 1] + same[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif i < len(old) and best[i][j] == best[i + 1][j]:
            pairs.append((i, None))
            i += 1
        else:
            pairs.append((None, j))
            j += 1
    return pairs


def _agreement(one: list[str], other: list[str]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one) if one else 0.0
