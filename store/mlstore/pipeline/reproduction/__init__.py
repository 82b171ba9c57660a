"""``reproduce``: recorded commands run again on recorded inputs, elsewhere, and what came of it."""

from __future__ import annotations

from mlstore.pipeline.reproduction.reproduce import (
    NOTE_KIND,
    ReproduceRequest,
    Watcher,
    record_verdicts,
    reproduce,
)
from mlstore.pipeline.reproduction.result import Failure, OutputResult, Reproduction, StageResult

__all__ = [
    "NOTE_KIND",
    "Failure",
    "OutputResult",
    "ReproduceRequest",
    "Reproduction",
    "StageResult",
    "Watcher",
    "record_verdicts",
    "reproduce",
]
