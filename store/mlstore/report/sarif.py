"""SARIF 2.1.0 (OASIS), as code scanning on GitHub and others read it.

A finding's place is its file; one without a file points to ``mlstore.toml``, which declares the pipeline,
because viewers drop results that point nowhere. Levels: error, warning, and note for information.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mlstore._lazy import LazyPattern
from mlstore._visible import escape, to_json
from mlstore.report.kinds import kind_of
from mlstore.report.outcome import Outcome, facts, fingerprints
from mlstore.verify.findings import Finding

FALLBACK = "mlstore.toml"
ROOT = "%SRCROOT%"
FINGERPRINT = "mlstoreFinding/v1"
_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_PLACEHOLDER = LazyPattern(r"\{[0-9]+\}")
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def render(outcome: Outcome) -> str:
    """Give the outcome as one SARIF log with one run."""
    return to_json({"$schema": _SCHEMA, "version": "2.1.0", "runs": [_run(outcome)]}) + "\n"


def _run(outcome: Outcome) -> dict[str, Any]:
    kinds = list(dict.fromkeys(finding.kind for finding in outcome.findings))
    names = fingerprints(outcome)
    return {
        "tool": {
            "driver": {
                "name": "mlstore",
                "version": outcome.version,
                "semanticVersion": outcome.version,
                "rules": [_rule(kind, outcome) for kind in kinds],
            }
        },
        "automationDetails": {"id": f"mlstore/{outcome.command}/"},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": outcome.time}],
        "originalUriBaseIds": {ROOT: {"description": {"text": "the root of the project"}}},
        "columnKind": "utf16CodeUnits",
        "results": [
            _result(outcome, finding, kinds.index(finding.kind), name)
            for finding, name in zip(outcome.findings, names, strict=True)
        ],
        "properties": {
            "verdict": outcome.verdict,
            "subject": escape(outcome.subject),
            "checked": outcome.checked,
            "notChecked": {name: escape(reason) for name, reason in outcome.skipped.items()},
        },
    }


def _rule(kind: str, outcome: Outcome) -> dict[str, Any]:
    known = kind_of(kind)
    level = next(finding.severity for finding in outcome.findings if finding.kind == kind)
    return {
        "id": kind,
        "name": "".join(word.capitalize() for word in kind.split("-")),
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.help},
        "help": {"text": known.help, "markdown": f"**{known.title}.** {known.help}"},
        "defaultConfiguration": {"level": _LEVELS[level]},
        "properties": {"tags": ["pipeline", "integrity"]},
    }


def _result(outcome: Outcome, finding: Finding, index: int, fingerprint: str) -> dict[str, Any]:
    lines = [finding.message, *(f"{label}: {text}" for label, text in facts(finding))]
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {
                "uri": _uri(outcome.place(finding) or outcome.prefix + FALLBACK),
                "uriBaseId": ROOT,
            },
            "region": {"startLine": 1},
        }
    }
    if finding.stage is not None:
        location["logicalLocations"] = [{"name": escape(finding.stage), "kind": "module"}]
    values = {"stage": finding.stage, "commit": finding.commit, "rule": finding.rule}
    values |= {"expected": finding.expected, "actual": finding.actual}
    properties: dict[str, Any] = {key: escape(text) for key, text in values.items() if text is not None}
    properties["consequence"] = finding.consequence
    return {
        "ruleId": finding.kind,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(map(_plain, lines))},
        "locations": [location],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": properties,
    }


def _plain(text: str) -> str:
    """Give a line of a message that holds neither a placeholder nor a link, whatever its names look like."""
    text = _PLACEHOLDER.sub(r"{\g<0>}", escape(text))
    return text.replace("[", "\\[").replace("]", "\\]") if "](" in text else text


def _uri(path: str) -> str:
    """Give a path as a relative reference; a first part with a colon would be taken for a scheme."""
    return quote(path.encode("utf-8", "surrogateescape"), safe="/")
