"""Jupyter notebooks: the cells' sources; outputs, execution counts and ids do not count."""

from __future__ import annotations

import json
from difflib import SequenceMatcher
from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.plain import compare_texts
from mlstore.errors import CorruptArtifact

NAME = "notebook"
_MOST_CELLS = 1000
Cell = tuple[str, str]


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two notebooks. Measures: ``cells_added``, ``cells_removed``, ``cells_changed``."""
    before, after = (_cells(side, settings) for side in (old, new))
    if before == after:
        summary = "the same sources; outputs or other records of running it differ"
        return Comparison(NAME, Verdict.EQUIVALENT, summary)
    details = Details(settings)
    counts = {"cells_added": 0, "cells_removed": 0, "cells_changed": 0}
    for tag, i1, i2, j1, j2 in _align(before, after):
        if tag == "equal":
            continue
        pairs = min(i2 - i1, j2 - j1)
        for step in range(pairs):
            if before[i1 + step] == after[j1 + step]:
                continue
            counts["cells_changed"] += 1
            _tell(before[i1 + step], after[j1 + step], j1 + step + 1, details, settings)
        for number in range(i1 + pairs, i2):
            counts["cells_removed"] += 1
            details.add("removed", f"cell {number + 1}", old=_first_line(before[number]))
        for number in range(j1 + pairs, j2):
            counts["cells_added"] += 1
            details.add("added", f"cell {number + 1}", new=_first_line(after[number]))
    words = [plural(count, "cell") + " " + kind[6:] for kind, count in counts.items() if count]
    return Comparison(NAME, Verdict.DIFFERENT, ", ".join(words), details.rows, details.omitted, counts)


def _align(before: list[Cell], after: list[Cell]) -> list[tuple[str, int, int, int, int]]:
    """Find the cells that belong together; side by side where there are too many for that."""
    if max(len(before), len(after)) > _MOST_CELLS:
        return [("replace", 0, len(before), 0, len(after))]
    return list(SequenceMatcher(None, before, after, autojunk=False).get_opcodes())


def _tell(old: Cell, new: Cell, number: int, details: Details, settings: Settings) -> None:
    if old[0] != new[0]:
        details.add("changed", f"cell {number} type", old[0], new[0])
    before, after = (cell[1].encode("utf-8", "surrogatepass") for cell in (old, new))
    for row in compare_texts(before, after, settings, NAME, f"cell {number} ").details:
        details.add(row.kind, row.where, row.old, row.new)


def _cells(side: Artifact, settings: Settings) -> list[Cell]:
    if side.size * 4 > settings.memory:
        raise CorruptArtifact(f"'{side.name}' is too large to be read as a notebook")
    try:
        value = json.loads(b"".join(side.pieces()))
    except (ValueError, RecursionError):
        raise CorruptArtifact(f"'{side.name}' is not a notebook: it is not JSON") from None
    cells = value.get("cells") if isinstance(value, dict) else None
    if not isinstance(cells, list):
        raise CorruptArtifact(f"'{side.name}' is not a notebook: it has no list of cells")
    return [_cell(one, side.name) for one in cells]


def _cell(value: Any, name: str) -> Cell:
    source = value.get("source", "") if isinstance(value, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise CorruptArtifact(f"'{name}' is not a notebook: a cell has no source")
    return str(value.get("cell_type", "")), source


def _first_line(cell: Cell) -> str:
    return f"{cell[0]}: {cell[1].partition(chr(10))[0]}"
