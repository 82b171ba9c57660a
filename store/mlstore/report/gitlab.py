"""GitLab's code quality report: a list of findings, shown in the merge request.

Source of the format: "Code Quality report format" in GitLab's documentation (a part of Code Climate's).
"""

from __future__ import annotations

from typing import Any

from mlstore._visible import escape, to_json
from mlstore.report.outcome import Outcome, fingerprints
from mlstore.report.sarif import FALLBACK
from mlstore.verify.findings import Finding


def render(outcome: Outcome) -> str:
    """Give the findings as a code quality report."""
    names = fingerprints(outcome)
    found = [_issue(outcome, finding, name) for finding, name in zip(outcome.findings, names, strict=True)]
    return to_json(found) + "\n"


def _issue(outcome: Outcome, finding: Finding, fingerprint: str) -> dict[str, Any]:
    cause = f" ({finding.cause})" if finding.cause else ""
    return {
        "type": "issue",
        "check_name": f"mlstore/{finding.kind}",
        "description": escape(finding.message + cause),
        "fingerprint": fingerprint,
        "severity": severity_of(finding),
        "categories": ["Compatibility" if finding.category == "differs" else "Security"],
        "location": {
            "path": escape(outcome.place(finding) or outcome.prefix + FALLBACK),
            "lines": {"begin": 1},
        },
    }


def severity_of(finding: Finding) -> str:
    """Give GitLab's word: damage blocks; a cause is major, what follows from one is minor."""
    if finding.severity != "error":
        return "minor" if finding.severity == "warning" else "info"
    if finding.category == "differs":
        return "minor" if finding.consequence else "major"
    return "blocker" if finding.category == "corrupt" else "critical"
