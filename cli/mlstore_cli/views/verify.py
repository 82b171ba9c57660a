"""What `verify`, `exec` and `fsck` print: the verdict, a row a stage, the findings, what was skipped."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from mlstore_cli.output import Style, escape
from mlstore_cli.views.commits import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mlstore.verify import Finding, FsckReport, Report, StageVerdict

WIDTH: Final = 78
_MOST_FINDINGS: Final = 40
_GOOD: Final = frozenset({"match", "ok", "equivalent"})
_FOLLOWING: Final = frozenset({"changed-input", "rebuilt"})
_TERMS: Final = ("rtol", "atol", "on", "key", "min", "max", "max_change")
_COUNTED: Final = ("commits", "blobs", "objects", "files", "stages", "pins", "refs")
# Here the changed keys say more than two ids of values do.
_BY_KEY: Final = frozenset({"changed-input", "rebuilt", "stale", "unused-change"})


def format_report(report: Report, style: Style, *, verbose: bool = False) -> list[str]:
    """Return the report for people: the verdict first, then why."""
    lines = [_headline(report, style)]
    if report.stages:
        lines += ["", *_stage_table(report.stages, style, compared=report.against is not None)]
    lines += format_findings(report.findings, style)
    lines += ["", *_footer(report, style, verbose=verbose)]
    if report.policy is not None and (verbose or report.policy["used"]):
        lines += [style.dim(line) for line in _rules(report.policy)]
    return lines


def _rules(policy: dict[str, Any]) -> list[str]:
    """Say which rules judged, and where they come from."""
    where = {
        "commit": f"mlstore.toml at {short(policy['commit'])}" if policy["commit"] else "mlstore.toml",
        "pinned": "mlstore.toml of the worktree, as pinned in mlstore.lock",
        "worktree": "mlstore.toml of the worktree",
        "default": "no rules: only the same bytes count",
    }[policy["source"]]
    lines = textwrap.wrap(f"rules of the gate: {where}", WIDTH)
    if policy["source"] == "default":
        return lines
    for rule in [{"rule": "the default", **policy["default"]}, *policy["rules"]]:
        said = [f"{name} {_plain(rule[name])}" for name in _TERMS if rule.get(name) not in (None, 0.0)]
        used = policy["used"].get(rule["rule"])
        text = f"{rule['rule']}: {escape(rule['path'])} {rule['equal']}" + (
            f" ({', '.join(said)})" if said else ""
        )
        lines += _wrap("  ", text + (f", used {used} time{'s' * (used > 1)}" if used else ""), indent=4)
    return lines


def _plain(value: object) -> str:
    if isinstance(value, list):
        return escape(", ".join(map(str, value)))
    return f"{value:g}" if isinstance(value, float) else escape(str(value))


def format_refusal(report: Report, against: str, style: Style) -> list[str]:
    """Return what stands between production and a pipeline: the verdict and the first cause."""
    first = next((finding for finding in report.findings if finding.severity == "error"), None)
    return [
        _headline(report, style),
        "",
        *(format_finding(first, style) if first else [f"but {escape(report.why)}"]),
        "",
        style.dim(f"'mlstore verify --against {escape(against)}' tells all of it"),
    ]


def _footer(report: Report, style: Style, *, verbose: bool) -> list[str]:
    lines = textwrap.wrap(f"checked {_counts(report.checked)}", WIDTH)
    for what, why in report.skipped.items():
        if verbose or what != "signatures":
            lines += textwrap.wrap(f"not checked: {what} ({escape(why)})", WIDTH)
    return [style.dim(line) for line in lines]


def _headline(report: Report, style: Style) -> str:
    what = escape(report.rev) + (f" ({short(report.commit)})" if report.commit else "")
    against = f" against {escape(report.against)}" if report.against else ""
    if report.ok:
        word = f"matches {escape(report.against)}" if report.against else "is verified"
        if report.verdict == "equivalent" and report.against:
            word = f"is equivalent to {escape(report.against)}, not the same"
        partial = f" ({escape(report.partial)})" if report.partial else ""
        return style.green("verified:") + f" {what} {word}{partial}"
    first = next(finding for finding in report.findings if finding.severity == "error")
    at = f" at '{escape(first.stage)}'" if first.stage else ""
    return style.red("not verified:") + f" {what}{against}: {report.verdict}{at}"


def _stage_table(stages: Sequence[StageVerdict], style: Style, *, compared: bool) -> list[str]:
    name = max([5, *(len(escape(row.stage)) for row in stages)])
    verdict = max([7, *(len(row.verdict) for row in stages)])
    head = f"  {'stage':<{name}}  {'verdict':<{verdict}}  {'commit':<10}  {'lineage':<10}"
    lines = [style.dim((head + ("  golden" if compared else "")).rstrip())]
    for row in stages:
        painted = _paint(row.verdict, style) + " " * (verdict - len(row.verdict))
        golden = f"  {_id(row.golden_lineage)}" if compared else ""
        ids = f"{_id(row.commit):<10}  {_id(row.lineage):<10}"
        lines.append(f"  {escape(row.stage):<{name}}  {painted}  {ids}{golden}".rstrip())
    return lines


def _paint(verdict: str, style: Style) -> str:
    if verdict in _GOOD:
        return style.green(verdict)
    return style.yellow(verdict) if verdict in _FOLLOWING else style.red(verdict)


def _id(value: str | None) -> str:
    return short(value) if value else "-"


def format_findings(findings: Sequence[Finding], style: Style) -> list[str]:
    """Return findings in their order, as many as a person reads."""
    lines: list[str] = []
    before: Finding | None = None
    for finding in findings[:_MOST_FINDINGS]:
        if before is None or not (before.consequence and finding.consequence):
            lines.append("")
        lines += format_finding(finding, style)
        before = finding
    if len(findings) > _MOST_FINDINGS:
        lines += ["", f"and {len(findings) - _MOST_FINDINGS} more findings; --json gives all"]
    return lines


def format_finding(finding: Finding, style: Style) -> list[str]:
    """Return one finding: what, why, where, and what to do. A consequence is one line."""
    if finding.consequence:
        cause = f", {escape(finding.cause)}" if finding.cause else ""
        text = f"{escape(finding.stage or '')}: {finding.kind}{cause}"
        return _wrap(f"  {style.yellow('then:')}     ", text, indent=12)
    label = {"error": style.red("error:"), "warning": style.yellow("warning:"), "info": style.cyan("info:")}
    lines = [f"{label[finding.severity]} {escape(finding.message)}"]
    lines += _row("cause", finding.cause)
    for line in finding.details:
        if line not in (finding.cause or ""):
            lines += _wrap(" " * 12, escape(line), indent=12)
    if finding.kind not in _BY_KEY:
        lines += _row("expected", _value(finding.expected))
        lines += _row("actual", _value(finding.actual))
    what = [finding.type or "object"] if finding.type or finding.size is not None else []
    what += [f"{finding.size:,} bytes"] if finding.size is not None else []
    lines += _row("object", ", ".join(what) or None)
    if finding.commit and finding.severity != "info":
        lines += _row("commit", short(finding.commit))
    if finding.hint:
        lines += _wrap(f"  {style.cyan('hint:')}     ", escape(finding.hint), indent=12)
    return lines


def _value(value: str | None) -> str | None:
    return value if value is None or len(value) < 68 else value[:64] + "..."


def _row(label: str, text: str | None) -> list[str]:
    return [] if text is None else _wrap(f"  {label + ':':<9} ", escape(text), indent=12)


def _wrap(first: str, text: str, *, indent: int) -> list[str]:
    parts = textwrap.wrap(text, WIDTH - indent, break_long_words=False, break_on_hyphens=False) or [""]
    return [first + parts[0], *(" " * indent + part for part in parts[1:])]


def _counts(checked: dict[str, int], *, quick: bool = False) -> str:
    from mlstore._progress import format_size

    parts = [
        f"{checked[word]} {word if checked[word] != 1 else word.removesuffix('s')}"
        for word in _COUNTED
        if checked.get(word)
    ]
    if checked.get("bytes"):
        parts.append(f"{format_size(checked['bytes'])} {'in them' if quick else 'hashed'}")
    return ", ".join(parts)


def _typed(report: FsckReport, object_id: str) -> str:
    return f"{report.types.get(object_id, 'object')} {object_id}"


def format_fsck(
    report: FsckReport, style: Style, *, dangling: bool = True, unreachable: bool = False
) -> list[str]:
    """Return what `fsck` found."""
    lines: list[str] = []
    for finding in report.findings:
        lines += [*format_finding(finding, style), ""]
    if unreachable:
        lines += [f"unreachable {_typed(report, object_id)}" for object_id in report.unreachable]
    elif dangling:
        lines += [f"dangling {_typed(report, object_id)}" for object_id in report.dangling]
    counted = _counts(report.checked, quick=report.mode == "quick")
    errors = sum(finding.severity == "error" for finding in report.findings)
    if report.ok:
        word = "ok by checksum, not hashed:" if report.mode == "quick" else "ok:"
        lines.append(style.green(word) + f" {counted}")
    else:
        lines.append(style.red(f"{errors} error{'s' if errors != 1 else ''}:") + f" {counted}")
    for what, why in report.skipped.items():
        label = "not read again" if what == "resumed" else "not checked"
        lines += [style.dim(line) for line in textwrap.wrap(f"{label}: {what} ({escape(why)})", WIDTH)]
    return lines
