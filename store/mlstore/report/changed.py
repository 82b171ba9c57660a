"""The page's part on artifacts: the first differences, drifted columns with their bars, models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlstore.report.dossier import Change, Dossier
from mlstore.report.drawing import draw_bars
from mlstore.report.markup import badge, code, prose, scroller, table, text
from mlstore.report.outcome import SHORT

_MOST_COLUMNS = 24
_AT_ONCE = 6
_MOST_ROWS = 10
_NOTHING = "&#8211;"
_TONES = {"equal": "good", "equivalent": "good", "different": "bad", "incomplete": "warn"}
_ROWS = {
    "count": "count",
    "nulls": "nulls",
    "distinct": "distinct",
    "mean": "mean",
    "std": "deviation",
    "min": "least",
    "max": "largest",
}
_KEY = (
    '<div class="legend"><span><svg viewBox="0 0 32 18"><rect class="k-old" x="1" y="1" width="30" '
    'height="16"/></svg>golden (wide, outlined)</span>'
    '<span><svg viewBox="0 0 32 18"><rect class="k-new" x="8" y="1" width="16" '
    'height="16"/></svg>current (narrow, filled)</span><span>height: share of the sampled values</span></div>'
)
# Said elsewhere, or too long for a row of chips.
_NOT_CHIPS = frozenset({"columns", "changed_columns", "old_rows", "new_rows"})


def changes_section(dossier: Dossier) -> str:
    """Give the part for all artifacts that differ."""
    return "".join(_change(number, change) for number, change in enumerate(dossier.changes))


def _change(number: int, change: Change) -> str:
    found: Mapping[str, Any] = change.comparison or {}
    verdict = str(found.get("verdict", ""))
    head = badge(_TONES.get(verdict, "note"), verdict) if verdict else ""
    head += f'<span class="badge plain">{text(found["comparator"])}</span>' if "comparator" in found else ""
    where = f"{change.role} of stage <bdi>{text(change.stage)}</bdi>" if change.stage else change.role
    ids = ""
    if change.old_id and change.new_id:
        ids = f'<p class="muted small">{_id(change.old_id)} → {_id(change.new_id)}</p>'
    body = f"<p>{prose(change.note)}</p>" if change.note else ""
    if found:
        body = f'<p class="summary">{prose(str(found.get("summary", "")))}</p>{ids}'
        measures = found.get("measures", {})
        body += _missing(found) + _details(change.path, found) + _columns(measures) + _chips(measures)
    return (
        f'<article class="panel change" id="change-{number}"><header><h3>{code(change.path)}</h3>{head}'
        f'<span class="where">{where}</span></header>{body}</article>'
    )


def _id(value: str) -> str:
    return f'<code title="{text(value)}">{text(value[:SHORT])}</code>'


def _chips(measures: Mapping[str, Any]) -> str:
    """Show the plain measures that say something, and lists such as the globals that a model names."""
    rows = []
    for name, value in measures.items():
        if name in _NOT_CHIPS or value in (0, 0.0, False, None, "", [], {}):
            continue
        if isinstance(value, bool | int | float | str):
            shown = f"{value:.4g}" if isinstance(value, float) else text(value)
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            shown = ", ".join(code(item) for item in value)
        elif isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
            shown = ", ".join(code(f"{key} {item}") for key, item in value.items())
        else:
            continue
        rows.append(f"<dt>{text(name.replace('_', ' '))}</dt><dd>{shown}</dd>")
    if not rows:
        return ""
    return f'<details><summary>Measures</summary><dl class="facts">{"".join(rows)}</dl></details>'


def _details(path: str, found: Mapping[str, Any]) -> str:
    details = found.get("details", [])
    if not details:
        return ""
    rows = [
        [
            f"<b>{text(row['kind'])}</b>",
            code(row["where"]),
            _value(row["old"]),
            _value(row["new"]),
            text(row["note"]),
        ]
        for row in details
    ]
    filled = [at for at in range(5) if any(row[at] not in ("", _NOTHING) for row in rows)]
    heads = [["difference", "where", "golden", "current", "note"][at] for at in filled]
    cells = [[row[at] for at in filled] for row in rows]
    label = f"Differences in {path}"
    shown = scroller(label, table(heads, cells[:_MOST_ROWS], kind="cells"))
    if cells[_MOST_ROWS:]:
        rest = scroller(label, table(heads, cells[_MOST_ROWS:], kind="cells"))
        number = len(cells) - _MOST_ROWS
        shown += f"<details><summary>{number} more of them</summary>{rest}</details>"
    more = found.get("omitted", 0)
    return shown + (f'<p class="muted small">{more:,} more are not listed</p>' if more else "")


def _value(value: str | None) -> str:
    return _NOTHING if value is None else code(value)


def _missing(found: Mapping[str, Any]) -> str:
    lines = "".join(f"<li>{prose(str(line))}</li>" for line in found.get("missing", []))
    return f'<div class="hint"><b>Not looked at:</b><ul>{lines}</ul></div>' if lines else ""


# columns


def _columns(measures: Mapping[str, Any]) -> str:
    columns: Mapping[str, Any] = measures.get("columns") or {}
    ranked = sorted(columns, key=lambda name: _drifted(columns[name]), reverse=True)[:_MOST_COLUMNS]
    if not ranked:
        return ""
    told = [_column(name, columns[name], measures) for name in ranked]
    key = _KEY if any("histogram" in columns[name] for name in ranked) else ""
    grid = '<div class="columns">{}</div>'
    shown = f"<h4>Columns, the most drifted first</h4>{key}{grid.format(''.join(told[:_AT_ONCE]))}"
    if told[_AT_ONCE:]:
        number = len(told) - _AT_ONCE
        rest = grid.format("".join(told[_AT_ONCE:]))
        shown += f"<details><summary>{number} more columns</summary>{rest}</details>"
    left = len(columns) - len(ranked)
    return shown + (f'<p class="muted small">{left:,} more columns, all less drifted</p>' if left else "")


def _drifted(entry: Mapping[str, Any]) -> float:
    """How far a column has drifted, on one scale for both tests as far as there is one."""
    drift = entry.get("drift")
    if not drift:
        return -1.0
    value = drift["statistic"] if drift["test"] == "KS D" else abs(drift["effect"])
    return float(value) if isinstance(value, int | float) else 0.0


def _column(name: str, entry: Mapping[str, Any], measures: Mapping[str, Any]) -> str:
    old, new = entry["old"], entry["new"]
    dtype = old["dtype"] if old["dtype"] == new["dtype"] else f"{old['dtype']} → {new['dtype']}"
    rows = [
        [label, _number(old.get(key)), _number(new.get(key))]
        for key, label in _ROWS.items()
        if key in old or key in new
    ]
    changed = measures.get("changed_columns", {}).get(name)
    cells = f"<span>{changed['cells']:,} cells changed</span>" if changed else ""
    bars = draw_bars(entry["histogram"]) if "histogram" in entry else ""
    notes = ([_drift(entry["drift"])] if "drift" in entry else []) + _outside(entry.get("histogram"))
    told = "".join(f'<p class="muted small">{note}</p>' for note in notes)
    return (
        f'<figure><figcaption><b><bdi>{text(name)}</bdi></b><span class="badge plain">{text(dtype)}</span>'
        f'<span class="muted small">{cells}</span></figcaption>{bars}'
        f"{table(['', 'golden', 'current'], rows, numbers=(1, 2))}{told}</figure>"
    )


def _number(value: Any) -> str:
    if value is None:
        return _NOTHING
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.6g}" if isinstance(value, float) else text(value)


def _drift(drift: Mapping[str, Any]) -> str:
    sizes = " and ".join(f"{size:,}" for size in drift["sizes"])
    return text(
        f"{drift['test']} = {_short(drift['statistic'])}, p = {_short(drift['p_value'])}, "
        f"{drift['effect_name']} = {_short(drift['effect'])}, n = {sizes}"
    )


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


def _outside(bars: Mapping[str, Any] | None) -> list[str]:
    if not bars or "edges" not in bars or not any(map(any, bars["outside"])):
        return []
    told = [
        f"{side}: {below:,} below, {above:,} above"
        for side, (below, above) in zip(("golden", "current"), bars["outside"], strict=True)
    ]
    return [text("outside of the chart: " + "; ".join(told))]
