"""Who may be deserialised, and how: the one place where a rule lets a model run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from mlstore.compare.artifact import Artifact
from mlstore.hashing import ObjectId

Trust: TypeAlias = Callable[[str, ObjectId], str | None]
"""Says why the blob with this id, at this path, may be deserialised ("signed by ..."); None: it may not."""

Probe: TypeAlias = Callable[[str], Artifact | None]
"""Gives a file of the golden commit by its path; None where that has no such file."""

TIME_LIMIT = 60.0
"""Seconds that each model has to load and to predict."""


@dataclass(frozen=True, slots=True)
class Loading:
    """What ``predictions`` needs: the golden files, who else is trusted, and a time limit in seconds.

    Golden's own bytes are always trusted: production loads them anyway. Without ``trust`` nobody else is.
    """

    probe: Probe
    trust: Trust | None = None
    time_limit: float = TIME_LIMIT
