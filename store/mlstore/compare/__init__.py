"""What differs inside artifacts, told without executing anything that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.compare.artifact import Artifact
    from mlstore.compare.binary import Difference, first_difference
    from mlstore.compare.comparison import Comparison, Detail, Settings, Verdict
    from mlstore.compare.environment import diff_environments, load_environment
    from mlstore.compare.keyed import (
        ABSENT,
        KeyChange,
        diff_values,
        flatten,
        is_keyed,
        load_values,
        select,
        value_id,
    )
    from mlstore.compare.registry import Comparator, choose, compare_artifacts
    from mlstore.compare.rules import choices_for
    from mlstore.compare.text import Hunk, count_lines, is_binary, text_hunks

__all__ = [
    "ABSENT",
    "Artifact",
    "Comparator",
    "Comparison",
    "Detail",
    "Difference",
    "Hunk",
    "KeyChange",
    "Settings",
    "Verdict",
    "choices_for",
    "choose",
    "compare_artifacts",
    "count_lines",
    "diff_environments",
    "diff_values",
    "first_difference",
    "flatten",
    "is_binary",
    "is_keyed",
    "load_environment",
    "load_values",
    "select",
    "text_hunks",
    "value_id",
]

__getattr__ = lazy_names(
    __name__,
    {
        "ABSENT": "mlstore.compare.keyed",
        "Artifact": "mlstore.compare.artifact",
        "Comparator": "mlstore.compare.registry",
        "Comparison": "mlstore.compare.comparison",
        "Detail": "mlstore.compare.comparison",
        "Difference": "mlstore.compare.binary",
        "Hunk": "mlstore.compare.text",
        "KeyChange": "mlstore.compare.keyed",
        "Settings": "mlstore.compare.comparison",
        "Verdict": "mlstore.compare.comparison",
        "choices_for": "mlstore.compare.rules",
        "choose": "mlstore.compare.registry",
        "compare_artifacts": "mlstore.compare.registry",
        "count_lines": "mlstore.compare.text",
        "diff_environments": "mlstore.compare.environment",
        "diff_values": "mlstore.compare.keyed",
        "first_difference": "mlstore.compare.binary",
        "flatten": "mlstore.compare.keyed",
        "is_binary": "mlstore.compare.text",
        "is_keyed": "mlstore.compare.keyed",
        "load_environment": "mlstore.compare.environment",
        "load_values": "mlstore.compare.keyed",
        "select": "mlstore.compare.keyed",
        "text_hunks": "mlstore.compare.text",
        "value_id": "mlstore.compare.keyed",
    },
)
