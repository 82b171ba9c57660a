r"""The commit graph as text, one commit after the other.

Each column of the picture is a line of descent that waits for the commit it leads to. A commit takes its
column, its parents take over; rows of `/` and `\` are drawn until every line stands in its new column::

    *   merge
    |\
    | * feature
    * | main
    |/
    * base
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

_HOLE: Final = ""


def link(commits: Sequence[tuple[str, Sequence[str]]], shown: Collection[str]) -> dict[str, list[str]]:
    """Return the parents to draw for each shown commit: the nearest ancestors that are shown.

    `commits` are all commits of the walk with their parents, children first; ancestors outside are left out.
    """
    nearest: dict[str, list[str]] = {}
    parents: dict[str, list[str]] = {}
    for node, above in reversed(commits):
        reached = list(dict.fromkeys(found for parent in above for found in nearest.get(parent, ())))
        if node in shown:
            parents[node] = reached
        nearest[node] = [node] if node in shown else reached
    return parents


class Graph:
    """Draws commits that arrive children first; `add` gives the rows of one commit."""

    def __init__(self) -> None:
        self._columns: list[str] = []

    def add(self, node: str, parents: Sequence[str], text: Sequence[str]) -> list[str]:
        """Return the rows of a commit with `text` beside them, up to the next commit's row."""
        if node not in self._columns:
            self._columns.append(node)
        place = self._columns.index(node)
        rows = [_draw_bars(self._columns, star=place), *self._open(place, list(dict.fromkeys(parents)))]
        bars = _draw_bars(self._columns)
        width = max(map(len, [*rows, bars])) + 1
        rows += [bars] * (len(text) - len(rows))
        lines = [row.ljust(width) + line for row, line in zip(rows, text, strict=False)]
        lines += rows[len(text) :]
        return [line.rstrip() for line in [*lines, *self._close()]]

    def _open(self, place: int, parents: list[str]) -> list[str]:
        """Put the parents in the commit's column and, for a merge, in columns right of it."""
        waiting = self._columns
        first, others = parents[:1], parents[1:]
        new = [parent for parent in others if parent not in waiting]
        columns = [*waiting[:place], *(first or [_HOLE]), *new, *waiting[place + 1 :]]
        shift = len(new)
        edges = [
            (at, at if at < place else at + shift) for at, name in enumerate(waiting) if at != place and name
        ]
        edges += [(place, place)] if first else []
        edges += [(place, columns.index(parent, 0 if parent in waiting else place)) for parent in others]
        self._columns = columns
        return _draw_moves(edges)

    def _close(self) -> list[str]:
        """Join the lines that wait for the same commit, and close the gap that a root leaves."""
        columns = [name for name in dict.fromkeys(self._columns) if name]
        edges = [(at, columns.index(name)) for at, name in enumerate(self._columns) if name]
        self._columns = columns
        return _draw_moves(edges)


def _draw_bars(columns: Sequence[str], star: int = -1) -> str:
    return " ".join("*" if at == star else "|" if name else " " for at, name in enumerate(columns))


def _draw_moves(edges: list[tuple[int, int]]) -> list[str]:
    """Draw rows until every edge (from column, to column) has arrived, one column a row."""
    rows: list[str] = []
    while any(at != goal for at, goal in edges):
        marks: dict[int, str] = {}
        moved: list[tuple[int, int]] = []
        for at, goal in edges:
            step = (goal > at) - (goal < at)
            marks[2 * at + step] = "/|\\"[step + 1]
            moved.append((at + step, goal))
        rows.append("".join(marks.get(x, " ") for x in range(max(marks) + 1)))
        edges = moved
    return rows
