"""What a report is made of: the outcome of a verification or of ``fsck``, in one shape for all formats."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

from mlstore.verify.findings import Category, Finding, Report, StageVerdict
from mlstore.verify.storecheck import FsckReport

SHORT = 10
_GOOD = frozenset({"match", "ok", "equivalent"})
_FOLLOWING = frozenset({"changed-input", "rebuilt"})
_COUNTED = ("commits", "blobs", "objects", "files", "stages", "pins", "refs", "signatures")
# Their paths are names below the store, not in the worktree.
_STORE_KINDS = frozenset({"corrupt-file", "stranger", "missing-ref"})
_STORE_NAMES = ("HEAD", "refs/", "logs/", "objects/")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer of one ``verify`` or ``fsck``, and where and when it was given.

    ``prefix`` is the folder of the repository below the root of the project that the CI system knows: empty,
    or ending in ``/``. ``time`` is a moment as commits record it. ``data`` is what ``--json`` prints.
    """

    command: Literal["verify", "fsck"]
    ok: bool
    verdict: str
    category: Category | None
    data: dict[str, Any]
    time: str
    version: str
    prefix: str = ""
    rev: str = ""
    commit: str | None = None
    against: str | None = None
    findings: tuple[Finding, ...] = ()
    stages: tuple[StageVerdict, ...] = ()
    checked: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What was looked at: ``HEAD (1c4f7a90b2) against golden``, or ``the store``."""
        if self.command == "fsck":
            return "the store"
        commit = f" ({self.commit[:SHORT]})" if self.commit else ""
        return f"{self.rev}{commit}" + (f" against {self.against}" if self.against else "")

    @property
    def judgement(self) -> str:
        """The verdict in a few words, such as ``not verified: changed-input at 'generate'``."""
        if self.command == "fsck":
            errors = sum(finding.severity == "error" for finding in self.findings)
            return "the store is sound" if self.ok else f"the store is damaged: {count(errors, 'error')}"
        if self.ok:
            return self._good_news()
        first = next(finding for finding in self.findings if finding.severity == "error")
        at = f" at '{first.stage}'" if first.stage else ""
        return f"not verified: {self.verdict}{at}"

    def _good_news(self) -> str:
        partial = self.data.get("partial")
        left = f" ({partial})" if partial else ""
        if self.against is None:
            return f"verified{left}"
        how = "is equivalent to" if self.verdict == "equivalent" else "matches"
        return f"verified: it {how} {self.against}{left}"

    @property
    def counts(self) -> str:
        """What was checked: ``6 commits, 9 blobs, 3 stages, 150,013 bytes``."""
        parts = [
            count(self.checked[word], word.removesuffix("s")) for word in _COUNTED if self.checked.get(word)
        ]
        if self.checked.get("bytes"):
            parts.append(count(self.checked["bytes"], "byte"))
        return ", ".join(parts)

    def tone(self, row: StageVerdict) -> Literal["good", "warn", "bad"]:
        """Whether a stage is as it should be, follows from another one, or is where to look first."""
        errors = self._errors_of(row)
        if any(not finding.consequence for finding in errors):
            return "bad"
        if row.verdict in _GOOD and not errors:
            return "good"
        return "warn" if row.verdict in _FOLLOWING else "bad"

    def label(self, row: StageVerdict) -> str:
        """Give a stage's verdict, and with a good one what speaks against it: ``match, but modified``."""
        errors = self._errors_of(row) if row.verdict in _GOOD else []
        return f"{row.verdict}, but {errors[0].kind}" if errors else row.verdict

    def _errors_of(self, row: StageVerdict) -> list[Finding]:
        return [one for one in self.findings if one.stage == row.stage and one.severity == "error"]

    def place(self, finding: Finding) -> str | None:
        """Give the file of a finding as the project sees it, None when it has none."""
        path = finding.path
        if path is None or path.startswith("/"):  # what lies outside is named by the message
            return None
        below_store = finding.kind in _STORE_KINDS or (
            finding.kind in ("corrupt-object", "missing-object") and path.startswith(_STORE_NAMES)
        )
        return self.prefix + (".mlstore/" if below_store else "") + path


def outcome_of(report: Report | FsckReport, *, time: str, prefix: str = "") -> Outcome:
    """Bring what ``verify`` or ``fsck`` gave into the shape that formats are made from."""
    from mlstore._version import __version__

    shared: dict[str, Any] = {
        "ok": report.ok,
        "category": report.category,
        "time": time,
        "version": __version__,
        "prefix": prefix,
        "findings": tuple(report.findings),
        "checked": dict(report.checked),
        "skipped": dict(report.skipped),
    }
    if isinstance(report, FsckReport):
        data = {"schema": "mlstore.fsck/1", **report.to_dict()}
        verdict = "ok" if report.ok else next(f.kind for f in report.findings if f.severity == "error")
        return Outcome("fsck", verdict=verdict, data=data, **shared)
    return Outcome(
        "verify",
        verdict=report.verdict,
        data={"schema": "mlstore.verify/1", **report.to_dict()},
        rev=report.rev,
        commit=report.commit,
        against=report.against,
        stages=tuple(report.stages),
        **shared,
    )


def count(number: int, word: str) -> str:
    """Give ``1 error``, ``2 errors``, ``1,000 bytes``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def fingerprints(outcome: Outcome) -> list[str]:
    """Give each finding a name of 64 hex digits that it has again in the next run, and that no other has.

    It is made of what went wrong and where, not of commits, times or texts: these are others in each run. Two
    findings that agree in that are told apart by what was expected, and then by their order.
    """
    seen: Counter[str] = Counter()
    names = []
    for finding in outcome.findings:
        nowhere = finding.stage is None and finding.path is None
        what = [outcome.command, finding.kind, finding.stage, outcome.place(finding)]
        what.append(finding.expected if nowhere else None)
        base = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        number, seen[base] = seen[base], seen[base] + 1
        names.append(hashlib.sha256(f"{base} {number}".encode()).hexdigest() if number else base)
    return names


def facts(finding: Finding) -> list[tuple[str, str]]:
    """Give what is known of a finding beyond its message, as pairs of a label and a text."""
    rows = [("cause", finding.cause)]
    rows += [("detail", line) for line in finding.details if line not in (finding.cause or "")]
    rows += [("rule", finding.rule), ("expected", finding.expected), ("actual", finding.actual)]
    rows += [("commit", finding.commit), ("hint", finding.hint)]
    return [(label, text) for label, text in rows if text]
