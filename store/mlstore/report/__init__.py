"""Reports of what ``verify`` and ``fsck`` found, in the formats of those who read them.

Pure functions from an ``Outcome`` to text. ``gather`` brings together what the page needs beyond the
findings: the stages' graph, what changed inside of artifacts, environments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.report.dossier import Dossier
    from mlstore.report.formats import FORMATS, render
    from mlstore.report.gathering import gather
    from mlstore.report.github import fenced, summary, workflow_commands
    from mlstore.report.outcome import Outcome, outcome_of
    from mlstore.report.page import render_page

__all__ = [
    "FORMATS",
    "Dossier",
    "Outcome",
    "fenced",
    "gather",
    "outcome_of",
    "render",
    "render_page",
    "summary",
    "workflow_commands",
]

__getattr__ = lazy_names(
    __name__,
    {
        "FORMATS": "mlstore.report.formats",
        "Dossier": "mlstore.report.dossier",
        "Outcome": "mlstore.report.outcome",
        "fenced": "mlstore.report.github",
        "gather": "mlstore.report.gathering",
        "outcome_of": "mlstore.report.outcome",
        "render": "mlstore.report.formats",
        "render_page": "mlstore.report.page",
        "summary": "mlstore.report.github",
        "workflow_commands": "mlstore.report.github",
    },
)
