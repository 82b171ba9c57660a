"""Two tables beside each other: schema, rows, cells, columns."""

from __future__ import annotations

import os
from typing import Any

from mlstore.compare.artifact import Artifact
from mlstore.compare.comparison import Comparison, Details, Settings, Verdict, plural
from mlstore.compare.tables import bykey, byposition
from mlstore.compare.tables.columns import drift
from mlstore.compare.tables.histogram import histogram
from mlstore.compare.tables.pairs import Changes
from mlstore.compare.tables.readers import Table, open_table
from mlstore.compare.tables.scan import Plan, Scan, picker, scan
from mlstore.errors import CorruptArtifact

NAME = "table"
_MOST_COLUMNS_TOLD = 200
# What makes a drift worth a line: hardly chance, and large enough to matter.
_SURE, _LARGE = 0.01, 0.1


def compare(old: Artifact, new: Artifact, settings: Settings) -> Comparison:
    """Compare two text tables; see ``compare_tables``."""
    return compare_tables(open_table(old, settings), open_table(new, settings), settings, NAME)


def compare_tables(old: Table, new: Table, settings: Settings, name: str) -> Comparison:
    """Compare two tables in bounded memory, reading each of them twice.

    Measures: ``rows_added``, ``rows_removed``, ``rows_changed``, ``rows_moved``, ``cells_changed``,
    ``beyond_tolerance``, ``schema_changed`` (a number of differences), ``old_rows``, ``new_rows``,
    ``changed_columns`` (cells and largest distance), ``columns`` (old and new summary; ``drift`` where a test
    fits; ``histogram`` where counts say something, see there).
    """
    common = tuple(column for column in old.columns if column in new.columns)
    for column in settings.key:
        if column not in common:
            raise CorruptArtifact(f"the key column '{column}' is not in both tables")
    plan = Plan(common, settings.key, os.urandom(16), settings.memory // 8)
    before, after = scan(old, plan), scan(new, plan)
    ragged = [getattr(table, "ragged", 0) for table in (old, new)]
    try:
        return _compare_scanned((old, new), (before, after), plan, settings, name, ragged)
    finally:
        for side in (before, after):
            for hashes in (side.rows, side.keys):
                if hashes is not None:
                    hashes.close()


def _compare_scanned(
    tables: tuple[Table, Table],
    scans: tuple[Scan, Scan],
    plan: Plan,
    settings: Settings,
    name: str,
    ragged: list[int],
) -> Comparison:
    details = Details(settings)
    schema = _compare_schema(tables, scans, details)
    changes = Changes(plan.common, details, settings)
    missing: list[str] = []
    if any(ragged):
        # Readers disagree about such rows: what looks the same here may be something else there.
        missing.append(f"{plural(sum(ragged), 'row')} with more or fewer cells than there are columns")
    moved = _compare_rows(tables, scans, plan, settings, changes, missing)
    told = _compare_columns(scans, plan, changes, schema, details)
    rows = [len(one.rows) for one in scans]
    counts = {
        "rows_added": changes.added,
        "rows_removed": changes.removed,
        "rows_changed": changes.changed,
        "rows_moved": moved,
        "cells_changed": changes.cells,
        "schema_changed": schema,
    }
    differs = any(counts.values())
    measures = counts | {
        "beyond_tolerance": changes.beyond,
        "old_rows": rows[0],
        "new_rows": rows[1],
        "changed_columns": changes.columns_to_dict(),
        "columns": told,
    }
    verdict = Verdict.DIFFERENT if differs else Verdict.EQUIVALENT
    summary = _summary(counts, rows) if differs else _same(tables, plan)
    answer = Comparison(name, verdict, summary, details.rows, details.omitted, measures)
    return answer.with_missing(*missing)


def _same(tables: tuple[Table, Table], plan: Plan) -> str:
    old, new = (table.form for table in tables)
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    forms = [f"{key} {old.get(key)!r} -> {new.get(key)!r}" for key in changed]
    what = ", ".join(forms) or "line ends, quoting or the spelling of numbers"
    order = ", or another order of rows" if plan.key else ""
    return f"the same content in another encoding: {what}{order}"


def _summary(counts: dict[str, int], rows: list[int]) -> str:
    words = []
    if counts["schema_changed"]:
        words.append(plural(counts["schema_changed"], "difference") + " of schema")
    for kind in ("added", "removed", "changed", "moved"):
        if counts[f"rows_{kind}"]:
            words.append(plural(counts[f"rows_{kind}"], "row") + f" {kind}")
    if counts["cells_changed"]:
        words.append(plural(counts["cells_changed"], "cell") + " changed")
    size = f"{rows[0]:,} rows" if rows[0] == rows[1] else f"{rows[0]:,} -> {rows[1]:,} rows"
    return f"{', '.join(words)} ({size})"


def _compare_schema(tables: tuple[Table, Table], scans: tuple[Scan, Scan], details: Details) -> int:
    old, new = (table.columns for table in tables)
    before = details.count
    for column in old:
        if column not in new:
            details.add("removed", f"column '{column}'")
    for column in new:
        if column not in old:
            details.add("added", f"column '{column}'")
    kept = [[column for column in one if column in other] for one, other in ((old, new), (new, old))]
    if kept[0] != kept[1]:
        details.add("changed", "order of columns", ", ".join(kept[0]), ", ".join(kept[1]))
    for column in kept[0]:
        one, other = (_dtype(table, side, column) for table, side in zip(tables, scans, strict=True))
        if one != other:
            details.add("changed", f"dtype of column '{column}'", one, other)
    return details.count - before


def _dtype(table: Table, side: Scan, column: str) -> str:
    if table.dtypes is not None:
        return table.dtypes[table.columns.index(column)]
    return side.columns[column].dtype


def _compare_rows(
    tables: tuple[Table, Table],
    scans: tuple[Scan, Scan],
    plan: Plan,
    settings: Settings,
    changes: Changes,
    missing: list[str],
) -> int:
    """Compare the rows and give how many only stand elsewhere."""
    old, new = ((table, picker(table, plan.common)) for table in tables)
    if plan.key:
        kept = bykey.most_kept(settings.memory, len(plan.common))
        found = bykey.match(*scans, settings.memory // 2, kept)
        if not found.repeated:
            if unread := bykey.compare_matched(found, old, new, changes):
                missing.append(f"the cells of {unread} changed rows: they are too many")
            return 0
        key = ", ".join(plan.key)
        changes.details.add(
            "repeated", f"the key '{key}'", note=f"{plural(found.repeated, 'row')}; compared by place"
        )
        missing.append("rows by key: it is not unique")
    alignment = byposition.align(scans[0].rows, scans[1].rows, settings)
    if alignment.uncounted is not None:
        changes.removed, changes.added = alignment.uncounted
        changes.details.count_more(sum(alignment.uncounted))
        missing.append("which rows changed: they are too many to be aligned, and no key column is declared")
    byposition.compare_spans(alignment.spans, old, new, changes)
    return alignment.moved


def _compare_columns(
    scans: tuple[Scan, Scan], plan: Plan, changes: Changes, schema: int, details: Details
) -> dict[str, Any]:
    """Summarise columns; test for drift where rows came, went or changed."""
    told: dict[str, Any] = {}
    touched = changes.added or changes.removed or schema
    for column in plan.common:
        one, other = (side.columns[column] for side in scans)
        if len(told) >= _MOST_COLUMNS_TOLD or not (touched or column in changes.by_column):
            continue
        entry: dict[str, Any] = {"old": one.to_dict(), "new": other.to_dict()}
        result = drift(one, other)
        if result is not None:
            entry["drift"] = result.to_dict()
            effect = result.statistic if result.test == "KS D" else result.effect
            if result.p_value < _SURE and effect >= _LARGE:
                details.add("drift", f"column '{column}'", note=str(result))
        bars = histogram(one, other)
        if bars is not None:
            entry["histogram"] = bars
        told[column] = entry
    return told
