"""``run --observe``: which files a stage really opens, held against what it declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from mlstore.pipeline.observation.events import Events, How, Seen, judge_events
from mlstore.pipeline.reproduction.scratch import scratch_folder
from mlstore.repository import Repository

if TYPE_CHECKING:
    from mlstore.pipeline.observation.audit import AuditWatch
    from mlstore.pipeline.observation.strace import StraceWatch

    Watch: TypeAlias = "AuditWatch | StraceWatch"

__all__ = ["Events", "How", "Observing", "Seen", "judge_events", "watching"]


@dataclass(frozen=True, slots=True)
class Observing:
    """How stages are to be observed: *strict* records no stage that did not keep to its declaration.

    ``scratch`` is the folder, outside the worktree, in which is written down what was seen.
    """

    how: How
    scratch: Path
    strict: bool = False


@contextmanager
def watching(repo: Repository, observing: Observing, environ: Mapping[str, str]) -> Iterator[Watch]:
    """Make what watches one command; raises ``CannotRun`` when strace does not work here."""
    with scratch_folder(repo, observing.scratch, "observe", keep=False) as scratch:
        if observing.how == "strace":
            from mlstore.pipeline.observation.strace import StraceWatch

            yield StraceWatch(repo.root, scratch.tmp, environ)
        else:
            from mlstore.pipeline.observation.audit import AuditWatch

            yield AuditWatch(repo.root, scratch.tmp, environ)
