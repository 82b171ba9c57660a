"""What differs inside artifacts, told without executing anything that is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names

if TYPE_CHECKING:
    from mlstore.compare.binary import Difference, first_difference
    from mlstore.compare.environment import diff_environments, load_environment
    from mlstore.compare.keyed import KeyChange, diff_values, flatten, is_keyed, load_values, select, value_id
    from mlstore.compare.text import Hunk, count_lines, is_binary, text_hunks

__all__ = [
    "Difference",
    "Hunk",
    "KeyChange",
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
        "Difference": "mlstore.compare.binary",
        "Hunk": "mlstore.compare.text",
        "KeyChange": "mlstore.compare.keyed",
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
