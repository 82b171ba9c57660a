"""JUnit XML, as Jenkins, GitLab, Azure and others read it: a test case for each check and each stage.

Source of the format: ``junit-10.xsd`` of Jenkins's xUnit plugin; the order of elements and the attributes are
those that Ant's older schema asks for too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

from mlstore._visible import escape
from mlstore.report.outcome import Outcome, count, facts
from mlstore.verify.findings import Finding

# Which check finds what does not belong to a stage.
_CHECKS: dict[str, tuple[str, ...]] = {
    "history": ("wrong-height",),
    "content": ("corrupt-object", "corrupt-file", "missing-object", "stranger"),
    "lineage": ("wrong-lineage", "false-record", "stale", "overwritten"),
    "worktree": ("modified", "missing-file", "mode", "unused-change"),
    "pins": ("moved-pin", "missing-ref"),
    "anchors": ("rolled-back",),
    "signatures": ("unsigned", "unknown-key", "expired-key", "revoked-key", "bad-signature"),
    "against": (
        "changed-input",
        "diverged",
        "equivalent",
        "extra",
        "gate-rules",
        "missing",
        "outside-pipeline",
        "undecided",
    ),
    "other": (),
}
# What is counted when a check was done.
_DONE_BY = {
    "history": "commits",
    "content": "bytes",
    "lineage": "stages",
    "worktree": "files",
    "pins": "pins",
    "signatures": "signatures",
}
# The history itself is always checked: what is left out under that name are old blobs.
_SKIPPED = {"history": "content of earlier commits", "last-seen": "anchors"}
_SEPARATE = " · "


@dataclass(slots=True)
class _Case:
    name: str
    group: str
    findings: list[Finding] = field(default_factory=list)
    skipped: str | None = None

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]

    @property
    def outcome(self) -> str:
        """``error`` for what is damaged or missing, ``failure`` for what differs."""
        if self.errors:
            broken = any(finding.category != "differs" for finding in self.errors)
            return "error" if broken else "failure"
        return "skipped" if self.skipped is not None else "passed"


def render(outcome: Outcome) -> str:
    """Give the outcome as JUnit XML, UTF-8."""
    cases = _cases(outcome)
    numbers = {word: sum(case.outcome == word for case in cases) for word in ("failure", "error", "skipped")}
    totals = {
        "tests": str(len(cases)),
        "failures": str(numbers["failure"]),
        "errors": str(numbers["error"]),
    }
    root = ET.Element("testsuites", {"name": "mlstore", **totals, "time": "0"})
    suite = ET.SubElement(
        root,
        "testsuite",
        {
            "name": _text(f"mlstore {outcome.command}: {outcome.subject}"),
            "package": "mlstore",
            "id": "0",
            "hostname": "localhost",
            "timestamp": outcome.time.removesuffix("Z"),
            **totals,
            "skipped": str(numbers["skipped"]),
            "time": "0",
        },
    )
    properties = ET.SubElement(suite, "properties")
    for name, value in _properties(outcome):
        ET.SubElement(properties, "property", {"name": name, "value": _text(value)})
    for case in cases:
        _add_case(suite, case)
    ET.SubElement(suite, "system-out").text = _text(f"{outcome.judgement}; checked {outcome.counts}")
    ET.SubElement(suite, "system-err")
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _properties(outcome: Outcome) -> list[tuple[str, str]]:
    rows = [("verdict", outcome.verdict), ("mlstore", outcome.version)]
    rows += [("commit", outcome.commit or ""), ("against", outcome.against or "")]
    return [(name, value) for name, value in rows if value]


def _cases(outcome: Outcome) -> list[_Case]:
    """Spread all findings over cases, each to exactly one."""
    group = f"mlstore.{outcome.command}"
    checks = {name: _Case(name, f"{group}.checks") for name in _CHECKS}
    stages = {
        row.stage: _Case(f"{row.stage}{_SEPARATE}{row.verdict}", f"{group}.stages") for row in outcome.stages
    }
    homes = {kind: name for name, kinds in _CHECKS.items() for kind in kinds}
    for finding in outcome.findings:
        case = stages.get(finding.stage or "") or checks[homes.get(finding.kind, "other")]
        case.findings.append(finding)
    for name, reason in outcome.skipped.items():
        shown_as = _SKIPPED.get(name, name)
        case = checks.setdefault(shown_as, _Case(shown_as, f"{group}.checks"))
        case.skipped = reason
    done = {name for name, word in _DONE_BY.items() if word in outcome.checked}
    if outcome.against is not None:
        done.add("against")
    shown = [
        case for name, case in checks.items() if name in done or case.findings or case.skipped is not None
    ]
    return [*shown, *stages.values()]


def _add_case(suite: ET.Element, case: _Case) -> None:
    element = ET.SubElement(
        suite, "testcase", {"name": _text(case.name), "classname": case.group, "time": "0"}
    )
    errors = case.errors
    if errors:
        first = errors[0].message + (f" (and {count(len(errors) - 1, 'more finding')})" if errors[1:] else "")
        problem = ET.SubElement(
            element, case.outcome, {"type": _text(errors[0].kind), "message": _text(first)}
        )
        problem.text = "\n\n".join(_describe(finding) for finding in case.findings)
        return
    if case.skipped is not None:
        ET.SubElement(element, "skipped", {"message": _text(case.skipped)})
    if case.findings:
        ET.SubElement(element, "system-out").text = "\n\n".join(map(_describe, case.findings))


def _describe(finding: Finding) -> str:
    lines = [f"{finding.severity}: {_text(finding.message)}"]
    return "\n".join(lines + [f"  {label}: {_text(text)}" for label, text in facts(finding)])


def _text(text: str) -> str:
    # XML has no way to write these two; what else it cannot hold is escaped already.
    return escape(text).replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
