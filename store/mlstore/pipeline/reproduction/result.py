"""What a reproduction found, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from mlstore.compare import Comparison
from mlstore.gate import Policy
from mlstore.hashing import ObjectId
from mlstore.history import Block

Verdict: TypeAlias = Literal["reproduced", "equivalent", "diverged", "failed"]
Cause: TypeAlias = Literal["nondeterministic", "another-environment"]
Outcome: TypeAlias = Literal["equal", "equivalent", "undecided", "different", "missing", "extra"]

_RANK: dict[Outcome, int] = {
    "equal": 0,
    "equivalent": 1,
    "undecided": 2,
    "different": 3,
    "missing": 4,
    "extra": 5,
}
SCHEMA = "mlstore.reproduce/1"


@dataclass(frozen=True, slots=True)
class Judged:
    """One output of one run against the record; ``text`` says how it was judged, by which rule if any."""

    outcome: Outcome
    text: str
    rule: str | None = None
    comparison: Comparison | None = None

    @property
    def good(self) -> bool:
        """Whether it is what was recorded, as far as the rules ask."""
        return self.outcome in ("equal", "equivalent")


def worst(found: list[Judged]) -> Judged:
    """Give the judgement that decides: the worst, of equals the first."""
    return max(found, key=lambda one: _RANK[one.outcome])


@dataclass(frozen=True, slots=True)
class OutputResult:
    """An output in all runs: ``actual`` has its id in each run, None where the run did not write it.

    ``expected`` is None for a file that the record does not have. ``judged`` is the worst of the runs.
    """

    path: str
    expected: ObjectId | None
    actual: tuple[ObjectId | None, ...]
    judged: Judged

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        comparison = self.judged.comparison
        return {
            "path": self.path,
            "expected": self.expected,
            "actual": list(self.actual),
            "outcome": self.judged.outcome,
            "rule": self.judged.rule,
            "text": self.judged.text,
            "comparison": None if comparison is None else comparison.to_dict(),
        }


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command came to nothing: its status (None: it was ended), a hint, what it printed last."""

    message: str
    hint: str
    status: int | None
    tail: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {
            "message": self.message,
            "hint": self.hint,
            "command_status": self.status,
            "tail": self.tail.decode("utf-8", "replace"),
        }


@dataclass(frozen=True, slots=True)
class StageResult:
    """What became of one stage.

    ``passed`` and ``unset`` are the declared variables that the command got, and those that are not set here.
    ``changes`` is what differs between the recorded environment and this one, None when none was recorded;
    ``environment`` is this one. ``written`` are files that the command wrote beside its outputs. ``kept`` are
    the scratch folders that were to be kept, ``durations`` the times of the runs in ms.
    """

    block: Block
    verdict: Verdict
    cause: Cause | None = None
    outputs: tuple[OutputResult, ...] = ()
    durations: tuple[int, ...] = ()
    passed: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    changes: tuple[str, ...] | None = None
    environment: dict[str, Any] | None = None
    written: tuple[str, ...] = ()
    failure: Failure | None = None
    kept: tuple[str, ...] = ()
    note: ObjectId | None = None

    @property
    def ok(self) -> bool:
        """Whether the stage gave what was recorded."""
        return self.verdict in ("reproduced", "equivalent")

    @property
    def runs(self) -> int:
        """How often the command was run."""
        return len(self.durations)

    @property
    def machine(self) -> str:
        """Where this was: ``linux x86_64``."""
        platform = (self.environment or {}).get("platform")
        facts = platform if isinstance(platform, dict) else {}
        return f"{str(facts.get('system', 'unknown')).lower()} {facts.get('machine', 'unknown')}"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data."""
        return {
            "stage": self.block.name,
            "commit": self.block.id,
            "lineage": self.block.lineage,
            "record": self.block.stage.record,
            "command": list(self.block.stage.command),
            "verdict": self.verdict,
            "cause": self.cause,
            "runs": self.runs,
            "duration_ms": list(self.durations),
            "outputs": [output.to_dict() for output in self.outputs],
            "written": list(self.written),
            "variables": {"passed": list(self.passed), "unset": list(self.unset)},
            "environment": {
                "recorded": self.changes is not None,
                "changes": list(self.changes or ()),
                "now": self.environment,
            },
            "failure": None if self.failure is None else self.failure.to_dict(),
            "kept": list(self.kept),
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class Reproduction:
    """All of it: the stages that were run again, in pipeline order, and the rules that judged them."""

    rev: str
    commit: ObjectId
    stages: tuple[StageResult, ...]
    policy: Policy

    @property
    def ok(self) -> bool:
        """Whether every stage gave what was recorded."""
        return all(stage.ok for stage in self.stages)

    @property
    def verdict(self) -> Verdict:
        """The first verdict that is not good; else ``equivalent`` if any is no more than that."""
        for stage in self.stages:
            if not stage.ok:
                return stage.verdict
        return "equivalent" if any(one.verdict == "equivalent" for one in self.stages) else "reproduced"

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready data (schema ``mlstore.reproduce/1``)."""
        return {
            "ok": self.ok,
            "verdict": self.verdict,
            "rev": self.rev,
            "commit": self.commit,
            "policy": self.policy.to_dict(),
            "stages": [stage.to_dict() for stage in self.stages],
        }
