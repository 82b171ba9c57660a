"""Markdown (GitHub's flavour) for a job's summary or a comment: nothing that is shown can become markup."""

from __future__ import annotations

from collections.abc import Iterable

from mlstore._lazy import LazyPattern
from mlstore._visible import escape
from mlstore.report.outcome import SHORT, Outcome, count, facts
from mlstore.report.standing import rules_in_force, trust
from mlstore.verify.findings import Finding

_QUOTED = LazyPattern(r"'([^']*)'")
_ACTIVE = LazyPattern(r"[\\`*_{}\[\]<>#|~!&@]|:(?=\S)")
_TICKS = LazyPattern(r"`+")
_SYMBOLS = {"error": "❌", "warning": "⚠️", "info": "\u2139\ufe0f"}
_TONES = {"good": "✅", "warn": "⚠️", "bad": "❌"}
_MOST_DETAILS = 20


def render(outcome: Outcome) -> str:
    """Give the outcome as a Markdown document."""
    symbol = "✅" if outcome.ok else "❌"
    lines = [f"## {symbol} mlstore: {prose(outcome.judgement)}", "", f"{code(outcome.subject)}, checked "]
    lines[-1] += f"{outcome.counts or 'nothing'}."
    if outcome.stages:
        lines += ["", *_stage_table(outcome)]
    if outcome.findings:
        lines += ["", "### Findings"]
        for number, finding in enumerate(outcome.findings, 1):
            lines += _finding(outcome, number, finding)
    for title, told in (
        ("Rules in force", rules_in_force(outcome)),
        ("Signatures and anchors", trust(outcome)),
    ):
        if told:
            lines += ["", f"### {title}", "", *(f"- {prose(line)}" for line in told)]
    if outcome.skipped:
        lines += ["", "### Not checked", ""]
        lines += [f"- **{prose(what)}**: {prose(why)}" for what, why in outcome.skipped.items()]
    lines += ["", f"<sub>mlstore {prose(outcome.version)}, {prose(outcome.time)}</sub>"]
    return "\n".join(lines) + "\n"


def _stage_table(outcome: Outcome) -> Iterable[str]:
    compared = outcome.against is not None
    heads = ["", "stage", "verdict", "commit", "lineage", *(["golden lineage"] if compared else [])]
    yield _row(heads)
    yield "|" + " --- |" * len(heads)
    for row in outcome.stages:
        symbol = _TONES[outcome.tone(row)]
        ids = [row.commit, row.lineage, *([row.golden_lineage] if compared else [])]
        cells = [code(one[:SHORT]) if one else "-" for one in ids]
        yield _row([symbol, code(row.stage), prose(outcome.label(row)), *cells])


def _row(cells: list[str]) -> str:
    # In a table a bar ends the cell, even inside of a code span.
    return "| " + " | ".join(cell.replace("|", "\\|") if "`" in cell else cell for cell in cells) + " |"


def _finding(outcome: Outcome, number: int, finding: Finding) -> list[str]:
    symbol = "↪" if finding.consequence else _SYMBOLS[finding.severity]
    where = outcome.place(finding)
    lines = ["", f"{number}. {symbol} **{prose(finding.kind)}**: {prose(finding.message)}"]
    rows = facts(finding)
    if where is not None:
        rows.insert(0, ("file", where))
    details = [text for label, text in rows if label == "detail"]
    for label, text in rows:
        if label == "detail":
            continue
        shown = code(text) if label in ("file", "expected", "actual", "commit") else prose(text)
        lines.append(f"   - {label}: {shown}")
    lines += [f"   - {code(text)}" for text in details[:_MOST_DETAILS]]
    if len(details) > _MOST_DETAILS:
        lines.append(f"   - and {count(len(details) - _MOST_DETAILS, 'more detail')}")
    return lines


def prose(text: str) -> str:
    """Give text in which nothing is markup; what stands in single quotes becomes code."""
    # Every second part is one that stood in quotes.
    parts = _QUOTED.split(text)
    return "".join(code(part) if number % 2 else _inert(part) for number, part in enumerate(parts))


def _inert(text: str) -> str:
    return _ACTIVE.sub(lambda match: f"&#{ord(match.group())};", escape(text))


def code(text: str) -> str:
    """Give text as a code span: its fence is longer than any run of backticks in it."""
    safe = escape(text)
    longest = max((len(run) for run in _TICKS.findall(safe)), default=0)
    fence = "`" * (longest + 1)
    edge = " " if safe.startswith("`") or safe.endswith("`") or safe != safe.strip() or not safe else ""
    return f"{fence}{edge}{safe}{edge}{fence}"
