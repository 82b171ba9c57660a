"""The page: one self-contained HTML file, without script, network or anything that is not escaped.

Its content security policy allows the page's own style sheet, by its hash, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator

from mlstore.report.changed import changes_section
from mlstore.report.dossier import Dossier
from mlstore.report.drawing import draw_graph
from mlstore.report.markup import badge, code, icon, prose, scroller, table, text
from mlstore.report.outcome import SHORT, Outcome, count
from mlstore.report.standing import rules_in_force, trust
from mlstore.report.style import policy, style_sheet
from mlstore.verify.findings import Finding

_TONES = {"error": "bad", "warning": "warn", "info": "note"}
_MOST_FINDINGS = 500
_EMPTY = '<div class="panel"><p>Nothing was left out.</p></div>'
_THEMES = (("auto", "Auto"), ("light", "Light"), ("dark", "Dark"))


def render_page(dossier: Dossier) -> str:
    """Give the whole page."""
    outcome, style = dossier.outcome, style_sheet()
    sections = list(_sections(dossier))
    title = text(f"{outcome.judgement} · mlstore {outcome.command}")
    links = "".join(
        f'<li><a href="#{key}">{text(name)}<span class="n">{number}</span></a></li>'
        for key, name, number, _ in sections
    )
    main = "".join(
        f'<section id="{key}" aria-labelledby="{key}-title"><h2 id="{key}-title">{text(name)}</h2>'
        f"{body}</section>"
        for key, name, _, body in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{text(policy(style))}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{title}</title><style>{style}</style></head><body>"
        '<a class="skip" href="#findings">Skip to the findings</a>'
        f'<div class="wrap">{_head(outcome)}</div>'
        f'<nav aria-label="Parts of this report"><div class="wrap"><ul>{links}</ul></div></nav>'
        f'<main class="wrap">{main}</main>'
        f'<footer class="wrap">Made by mlstore {text(outcome.version)} at '
        f'<time datetime="{text(outcome.time)}">{text(outcome.time)}</time>. '
        "This page runs no script and loads nothing.</footer></body></html>\n"
    )


def _head(outcome: Outcome) -> str:
    tone = "good" if outcome.ok else "bad"
    themes = "".join(
        f'<input type="radio" name="theme" id="theme-{key}"{" checked" if key == "auto" else ""}>'
        f'<label for="theme-{key}">{name}</label>'
        for key, name in _THEMES
    )
    sums = [
        (sum(finding.severity == severity for finding in outcome.findings), word)
        for severity, word in (("error", "error"), ("warning", "warning"), ("info", "note"))
    ]
    told = "".join(
        f"<span><b>{number}</b> {word}{'' if number == 1 else 's'}</span>" for number, word in sums
    )
    subject = f"<code>{text(outcome.subject)}</code>"
    return (
        '<header><div class="bar">'
        f'<div class="brand">mlstore<span>{text(outcome.command)} report</span></div>'
        f'<fieldset class="theme"><legend>Colours</legend>{themes}</fieldset></div>'
        f'<div class="verdict {tone}">{icon(tone)}<h1>{_sentence(prose(outcome.judgement))}</h1>'
        f"<p>{subject}</p></div>"
        f'<div class="sums">{told}<span>checked {text(outcome.counts or "nothing")}</span></div></header>'
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]


def _sections(dossier: Dossier) -> Iterator[tuple[str, str, str, str]]:
    """Yield key, title, number and content of each part of the page."""
    outcome = dossier.outcome
    if outcome.stages:
        yield "pipeline", "Pipeline", str(len(outcome.stages)), _pipeline(dossier)
    yield "findings", "Findings", str(len(outcome.findings)), _findings(dossier)
    if dossier.changes:
        yield "artifacts", "What changed inside", str(len(dossier.changes)), changes_section(dossier)
    if dossier.environments:
        number = str(sum(len(one.lines) for one in dossier.environments))
        yield "environments", "Environment", number, _environments(dossier)
    for key, name, lines in (
        ("rules", "Rules in force", rules_in_force(outcome)),
        ("trust", "Signatures and anchors", trust(outcome)),
    ):
        if lines:
            yield key, name, str(len(lines)), _listed(lines)
    skipped = [*(f"{what}: {why}" for what, why in outcome.skipped.items()), *dossier.unseen]
    yield "unchecked", "Not checked", str(len(skipped)), _listed(skipped) if skipped else _EMPTY


# the pipeline


def _pipeline(dossier: Dossier) -> str:
    outcome = dossier.outcome
    drawings = "".join(draw_graph(outcome, dossier.edges, down=down) for down in (False, True))
    compared = outcome.against is not None
    heads = ["stage", "verdict", "commit", "lineage", *(["golden lineage"] if compared else []), "command"]
    rows = []
    for number, row in enumerate(outcome.stages):
        command = dossier.commands.get(row.stage)
        ran = command.current or command.golden if command else None
        rows.append(
            [
                f'<b id="stage-{number}"><bdi>{text(row.stage)}</bdi></b>'
                + (f'<br><span class="muted small">{text(row.record)}</span>' if row.record else ""),
                badge(outcome.tone(row), outcome.label(row)),
                *(
                    _id(value)
                    for value in (row.commit, row.lineage, *([row.golden_lineage] if compared else []))
                ),
                code(ran) if ran else "",
            ]
        )
    key = "".join(
        f"<span>{badge(tone, words)}</span>"
        for tone, words in (("good", "as golden" if compared else "true to its record"),
                            ("warn", "follows from a change"), ("bad", "look here first"))
    )  # fmt: skip
    dashes = "<span>dashed: only in golden</span>" if compared else ""
    return (
        f'<div class="panel">{scroller("The pipeline as a graph", drawings)}'
        f'<div class="legend">{key}{dashes}</div></div>'
        f'<div class="panel">{scroller("The stages", table(heads, rows))}</div>'
    )


def _id(value: str | None) -> str:
    return f'<code title="{text(value)}">{text(value[:SHORT])}</code>' if value else "&#8211;"


# findings


def _findings(dossier: Dossier) -> str:
    findings = dossier.outcome.findings
    if not findings:
        word = badge("good", "nothing found")
        return f'<div class="panel"><p>{word} Everything that was checked is as it should be.</p></div>'
    places = {row.stage: number for number, row in enumerate(dossier.outcome.stages)}
    changed = {change.path: number for number, change in reversed(list(enumerate(dossier.changes)))}
    parts = [
        _finding(number, finding, places, changed, dossier.outcome.place(finding))
        for number, finding in enumerate(findings[:_MOST_FINDINGS], 1)
    ]
    if more := len(findings) - len(parts):
        parts.append(
            f"<p>{count(more, 'more finding')}: the other formats of this report have all of them.</p>"
        )
    return _filter(findings) + "".join(parts)


def _filter(findings: tuple[Finding, ...]) -> str:
    aside = sum(_is_aside(finding) for finding in findings)
    if not aside or aside == len(findings):
        return ""
    return (
        '<div class="filter"><input type="checkbox" id="causes"><label for="causes">'
        '<span class="tick-box"></span>'
        f"Only causes (hides {count(aside, 'consequence')} and notes)</label></div>"
    )


def _is_aside(finding: Finding) -> bool:
    return finding.consequence or finding.severity == "info"


def _finding(
    number: int, finding: Finding, places: dict[str, int], changed: dict[str, int], where: str | None
) -> str:
    tone = "warn" if finding.consequence else _TONES[finding.severity]
    label = "consequence" if finding.consequence else finding.severity
    aside = " aside" if _is_aside(finding) else ""
    follows = " follows" if finding.consequence else ""
    stage = ""
    if finding.stage is not None:
        name = f"<bdi>{text(finding.stage)}</bdi>"
        at = places.get(finding.stage)
        stage = f'stage <a href="#stage-{at}">{name}</a>' if at is not None else f"stage {name}"
    head = f'{badge(tone, label)}<span class="badge plain">{text(finding.kind)}</span>'
    head += f'<span class="where">{stage}</span>' if stage else ""
    link = ""
    if finding.path in changed:
        link = f' <a class="small" href="#change-{changed[finding.path]}">what changed inside</a>'
    rows = _facts(finding, where)
    facts = f'<dl class="facts">{rows}</dl>' if rows else ""
    hint = f'<p class="hint"><b>What to do:</b> {prose(finding.hint)}</p>' if finding.hint else ""
    return (
        f'<article class="panel finding {tone}{follows}{aside}" id="finding-{number}">'
        f"<header>{head}</header><h3>{prose(finding.message)}{link}</h3>{facts}{hint}</article>"
    )


def _facts(finding: Finding, where: str | None) -> str:
    rows: list[tuple[str, str]] = []
    if finding.cause:
        rows.append(("cause", f'<span class="cause">{prose(finding.cause)}</span>'))
    details = [line for line in finding.details if line not in (finding.cause or "")]
    if details:
        rows.append(("details", "<br>".join(map(prose, details))))
    if finding.rule:
        rows.append(("rule", prose(finding.rule)))
    for name, value in (("file", where), ("expected", finding.expected), ("actual", finding.actual)):
        if value is not None:
            rows.append((name, code(value)))
    if finding.commit is not None:
        rows.append(("commit", code(finding.commit)))
    return "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)


# the rest


def _environments(dossier: Dossier) -> str:
    parts = []
    for one in dossier.environments:
        stages = ", ".join(code(stage) for stage in one.stages)
        word = "Stages" if len(one.stages) > 1 else "Stage"
        items = "".join(f"<li>{code(line)}</li>" for line in one.lines)
        parts.append(f'<div class="panel"><h3>{word} {stages}</h3><ul class="plain small">{items}</ul></div>')
    words = "Recorded, and told because it may explain a difference; it is never part of a verdict."
    return f'<p class="muted">{words}</p>' + "".join(parts)


def _listed(lines: list[str]) -> str:
    items = []
    for line in lines:
        what, _, rest = line.partition(": ")
        items.append(f"<li><b>{text(what)}</b>: {prose(rest)}</li>")
    return f'<div class="panel"><ul class="plain">{"".join(items)}</ul></div>'
