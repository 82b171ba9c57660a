"""What differs inside artifacts, told without executing anything that is read."""

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
