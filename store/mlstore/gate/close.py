"""``close``: every number within ``atol + rtol * |golden|``, and all else equal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from mlstore.compare import Comparison, Settings, Verdict, choose, compare_artifacts
from mlstore.errors import CorruptArtifact
from mlstore.gate.judgement import Case, Judgement
from mlstore.gate.numeric import distance, is_within, limit_text, number_of
from mlstore.manifest import GateRule


def by_closeness(rule: GateRule, case: Case) -> Judgement:
    """Judge by closeness: configuration by key, tables row by row, arrays and models item by item."""
    settings = replace(case.settings, rtol=rule.rtol, atol=rule.atol)
    kind = choose(case.golden, case.current, case.wanted).name
    try:
        own = _OWN[kind](rule, case) if kind in _OWN and not settings.key else None
    except CorruptArtifact:
        own = None  # the comparator says what is wrong with it
    if own is not None:
        return _passed(rule, own, own.measures["max_abs"])
    found = compare_artifacts(case.golden, case.current, settings, case.wanted)
    measures = found.measures
    if found.complete and (
        found.verdict in (Verdict.EQUAL, Verdict.EQUIVALENT)
        or _only_numbers_differ(found, by_key=bool(settings.key))
    ):
        return _passed(rule, found, _largest(measures))
    if found.verdict is Verdict.INCOMPLETE or not found.complete:
        return Judgement("undecided", rule.name, f"undecided under {rule.name}: {found.summary}", found)
    return Judgement("different", rule.name, f"different under {rule.name}: {found.summary}", found)


def _passed(rule: GateRule, found: Comparison, largest: float) -> Judgement:
    how = limit_text(rule, largest) if largest else found.summary
    return Judgement("equivalent", rule.name, f"equivalent under {rule.name} ({how})", found)


def _only_numbers_differ(found: Comparison, *, by_key: bool) -> bool:
    """Whether a comparator's measures say that numbers within the tolerance are all that differs."""
    measures = found.measures
    if measures.get("beyond_tolerance") != 0:
        return False
    none_of = {
        "array": ("shape_changed", "dtype_changed"),
        "arrays": ("arrays_added", "arrays_removed", "forms_changed"),
        "model": ("parts_changed", "versions_changed", "forms_changed"),
    }
    if by_key and found.comparator in ("table", "columnar"):
        none_of[found.comparator] = ("rows_added", "rows_removed", "rows_moved", "schema_changed")
    wanted = none_of.get(found.comparator)
    return wanted is not None and not any(measures.get(name, True) for name in wanted)


def _largest(measures: dict[str, Any]) -> float:
    columns = measures.get("changed_columns", {})
    found = [measures.get("max_abs", 0.0), *(one.get("max_abs", 0.0) for one in columns.values())]
    return max((float(value) for value in found), default=0.0)


# configuration


@dataclass(slots=True)
class _Walk:
    """Two values beside each other: whether numbers are all that differs, how many do and how far."""

    rule: GateRule
    text: bool
    differing: int = 0
    largest: float = 0.0

    def same(self, old: Any, new: Any) -> bool:
        if isinstance(old, dict) and isinstance(new, dict):
            return old.keys() == new.keys() and all(self.same(old[key], new[key]) for key in old)
        if isinstance(old, list) and isinstance(new, list):
            return len(old) == len(new) and all(map(self.same, old, new))
        one, other = (number_of(value, text=self.text) for value in (old, new))
        if one is None or other is None:
            return type(old) is type(new) and bool(old == new)
        if distance(one, other):
            self.differing += 1
            self.largest = max(self.largest, distance(one, other))
        return is_within(one, other, self.rule)


def _configuration(rule: GateRule, case: Case) -> Comparison | None:
    from mlstore.compare.configuration import load

    old, new = (load(side, case.settings) for side in (case.golden, case.current))
    walk = _Walk(rule, text=case.golden.suffix in (".ini", ".cfg"))
    if not walk.same(old, new):
        return None
    return _close("configuration", walk.differing, "value", walk.largest)


def _close(comparator: str, differing: int, what: str, largest: float) -> Comparison:
    measures = {"differing": differing, "beyond_tolerance": 0, "max_abs": largest}
    if not differing:
        return Comparison(
            comparator, Verdict.EQUIVALENT, "the same content in another encoding", measures=measures
        )
    summary = f"{differing:,} {what}{'s' * (differing > 1)} changed, all within the tolerance"
    return Comparison(comparator, Verdict.DIFFERENT, summary, measures=measures)


# tables


def _table(rule: GateRule, case: Case) -> Comparison | None:
    """Compare two tables row by row: a row has its place, and none may come or go."""
    tables = [_open(side, case.settings) for side in (case.golden, case.current)]
    if tables[0].columns != tables[1].columns or tables[0].dtypes != tables[1].dtypes:
        return None
    walk = _Rows(rule, [set() for _ in tables[0].columns], [set() for _ in tables[0].columns])
    rows = [_rows(table) for table in tables]
    while True:
        pair = [next(side, None) for side in rows]
        if pair[0] is None or pair[1] is None:
            break
        if pair[0] != pair[1] and not walk.same(pair[0], pair[1]):
            return None
    ragged = any(getattr(table, "ragged", 0) for table in tables)
    if pair != [None, None] or ragged or (tables[0].dtypes is None and walk.kinds_differ()):
        return None
    return _close("table", walk.differing, "cell", walk.largest)


def _open(side: Any, settings: Settings) -> Any:
    from mlstore.compare.tables.columnar import Columnar
    from mlstore.compare.tables.readers import open_table

    columnar = side.head(4) in (b"PAR1", b"FEA1") or side.head(6) == b"ARROW1"
    return Columnar(side, settings) if columnar else open_table(side, settings)


def _rows(table: Any) -> Iterator[list[str]]:
    for batch in table.batches():
        yield from batch


@dataclass(slots=True)
class _Rows:
    """Cells beside each other. A column in which a text became a number, say, is another column."""

    rule: GateRule
    old_kinds: list[set[str]]
    new_kinds: list[set[str]]
    differing: int = 0
    largest: float = 0.0

    def same(self, old: list[str], new: list[str]) -> bool:
        from mlstore.compare.tables.cells import Cell

        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            if one == other:
                continue
            before, after = Cell(one), Cell(other)
            self.old_kinds[number].add(before.kind)
            self.new_kinds[number].add(after.kind)
            if before.text == after.text:
                continue
            values = [number_of(cell.text, text=True) for cell in (before, after)]
            if values[0] is None or values[1] is None or not is_within(values[0], values[1], self.rule):
                return False
            self.differing += 1
            self.largest = max(self.largest, distance(values[0], values[1]))
        return True

    def kinds_differ(self) -> bool:
        """Whether a column may be of another dtype now: the comparator then looks at all of it."""
        return self.old_kinds != self.new_kinds


_OWN = {"configuration": _configuration, "table": _table, "columnar": _table}
