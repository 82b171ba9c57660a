"""What the page shows beyond findings: edges of the graph, artifacts that changed, environments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mlstore.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Edge:
    """*target* reads what *source* wrote: in both pipelines, or in one of them only."""

    source: str
    target: str
    where: Literal["both", "current", "golden"] = "both"


@dataclass(frozen=True, slots=True)
class Change:
    """An artifact that differs: ``comparison`` has the schema ``mlstore.comparison/1``.

    ``role`` says what it is to its stage: ``input``, ``output``, or ``file`` of the worktree or of no stage.
    ``note`` says why there is no comparison.
    """

    path: str
    role: Literal["input", "output", "file"]
    stage: str | None = None
    old_id: str | None = None
    new_id: str | None = None
    comparison: dict[str, Any] | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Environment:
    """What differs between the environments of some stages, golden and current."""

    stages: tuple[str, ...]
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Command:
    """What one stage ran, in the golden pipeline and in the current one; None where it has no such stage."""

    golden: str | None
    current: str | None


@dataclass(frozen=True, slots=True)
class Dossier:
    """An outcome with all that a page can say about it; ``unseen`` lists what could not be gathered."""

    outcome: Outcome
    edges: tuple[Edge, ...] = ()
    changes: tuple[Change, ...] = ()
    environments: tuple[Environment, ...] = ()
    commands: dict[str, Command] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
