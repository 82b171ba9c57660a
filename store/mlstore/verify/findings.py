"""What a verification says: findings, the first cause first, and what was and was not looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from mlstore.verify.coverage import Coverage

Severity: TypeAlias = Literal["error", "warning", "info"]
Category: TypeAlias = Literal["corrupt", "missing", "untrusted", "differs"]

_CATEGORIES: dict[str, Category] = {
    "corrupt-object": "corrupt",
    "corrupt-file": "corrupt",
    "false-record": "corrupt",
    "wrong-height": "corrupt",
    "wrong-lineage": "corrupt",
    "missing-object": "missing",
    "missing-ref": "missing",
}
_RANK: dict[Category, int] = {"corrupt": 0, "missing": 1, "untrusted": 2, "differs": 3}
_SEVERITY_RANK: dict[Severity, int] = {"error": 0, "warning": 1, "info": 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be.

    ``kind`` is a stable word (kinds are only ever added), ``expected`` and ``actual`` are ids or short
    texts, ``cause`` says why where that is known, ``details`` lists more (changed keys, who needs a
    damaged object). A ``consequence`` follows from another finding that stands before it. ``comparison`` is
    what changed inside the artifact, for machines (schema ``mlstore.comparison/1``), ``rule`` the rule of the
    gate that judged it. ``type`` (commit, tree, blob, tag, chunk) and ``size`` (bytes) are those of a damaged
    or missing object, as far as somebody who needs it says so.
    """

    kind: str
    message: str
    severity: Severity = "error"
    stage: str | None = None
    commit: str | None = None
    path: str | None = None
    expected: str | None = None
    actual: str | None = None
    cause: str | None = None
    hint: str | None = None
    details: tuple[str, ...] = ()
    consequence: bool = False
    comparison: dict[str, Any] | None = None
    rule: str | None = None
    type: str | None = None
    size: int | None = None

    @property
    def category(self) -> Category:
        """What a caller would do about it: corrupt, missing, untrusted, or differs."""
        return _CATEGORIES.get(self.kind, "differs")

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        value = asdict(self)
        value["details"] = list(self.details)
        return value


@dataclass(frozen=True, slots=True)
class StageVerdict:
    """How one stage compares with the golden one (or stands by itself when there is nothing to compare)."""

    stage: str
    verdict: str
    commit: str | None
    lineage: str | None
    golden_commit: str | None = None
    golden_lineage: str | None = None
    record: str | None = None


@dataclass(slots=True)
class Report:
    """The outcome of one verification. ``skipped`` says what was not looked at, and why.

    ``policy`` holds the rules of the gate that judged, where they come from, and which of them were used.
    ``coverage`` says how much of the content was hashed.
    """

    rev: str
    commit: str | None
    against: str | None = None
    findings: list[Finding] = field(default_factory=list)
    stages: list[StageVerdict] = field(default_factory=list)
    checked: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    policy: dict[str, Any] | None = None
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def ok(self) -> bool:
        """Whether no finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    @property
    def verdict(self) -> str:
        """``verified`` or (compared with a golden pipeline) ``match``; else the kind of the first cause.

        ``equivalent`` where something is not the same and counts as equal under a rule.
        """
        if self.ok:
            if any(finding.kind == "equivalent" for finding in self.findings):
                return "equivalent"
            return "match" if self.against is not None else "verified"
        return next(finding.kind for finding in self.findings if finding.severity == "error")

    @property
    def partial(self) -> str | None:
        """What the verdict leaves open, in a few words: None where every blob was hashed."""
        return self.coverage.partial

    @property
    def passes(self) -> bool:
        """Whether a gate may open: nothing is wrong, and no content was passed over.

        Blobs that a clone is without are no obstacle where the files of the worktree were hashed.
        """
        proved = not self.coverage.absent or "files" in self.checked
        return self.ok and not self.coverage.left and proved

    def opens(self, mode: str) -> bool:
        """Whether a gate opens in *mode*: ``warn`` lets through what differs.

        Never what is damaged, missing or not trusted, nor a moved pin: then nobody knows what golden is.
        """
        moved = any(finding.kind == "moved-pin" for finding in self.findings)
        return self.passes or (mode == "warn" and self.category == "differs" and not moved)

    @property
    def why(self) -> str:
        """The first cause in one line, or what was not looked at."""
        first = next((finding for finding in self.findings if finding.severity == "error"), None)
        if first is None:
            return f"not all of it was looked at ({self.partial})" if self.partial else self.verdict
        return first.message + (f" ({first.cause})" if first.cause else "")

    @property
    def category(self) -> Category | None:
        """The gravest category among the errors, None when there is none."""
        found = {finding.category for finding in self.findings if finding.severity == "error"}
        return min(found, key=_RANK.__getitem__, default=None)

    def sort(self) -> None:
        """Put the first cause first: damage before difference, causes before effects, in pipeline order."""
        order = {row.stage: number for number, row in enumerate(self.stages)}

        def key(item: tuple[int, Finding]) -> tuple[int, int, int, int, int]:
            number, finding = item
            stage = order.get(finding.stage or "", -1)
            rank = _RANK[finding.category]
            return _SEVERITY_RANK[finding.severity], rank, int(finding.consequence), stage, number

        self.findings = [finding for _, finding in sorted(enumerate(self.findings), key=key)]

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.verify/1``)."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "rev": self.rev,
            "commit": self.commit,
            "against": self.against,
            "findings": [finding.to_dict() for finding in self.findings],
            "stages": [asdict(row) for row in self.stages],
            "checked": self.checked,
            "skipped": self.skipped,
            "policy": self.policy,
            "partial": self.partial,
            "coverage": asdict(self.coverage),
        }
