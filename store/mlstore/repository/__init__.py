"""A repository: where its parts are, how it is opened and locked, and what a snapshot is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mlstore._lazy import lazy_names
from mlstore.repository.extent import Extent, measure
from mlstore.repository.repository import STORE_NAME, Repository
from mlstore.repository.snapshot import (
    Change,
    NewTrees,
    Snapshot,
    compare_entries,
    diff_snapshots,
    diff_trees,
    find_entry,
    make_trees,
    new_files,
    read_snapshot,
    write_tree,
    write_trees,
)

if TYPE_CHECKING:
    from mlstore.repository.filter import Filter

__all__ = [
    "STORE_NAME",
    "Change",
    "Extent",
    "Filter",
    "NewTrees",
    "Repository",
    "Snapshot",
    "compare_entries",
    "diff_snapshots",
    "diff_trees",
    "find_entry",
    "make_trees",
    "measure",
    "new_files",
    "read_snapshot",
    "write_tree",
    "write_trees",
]

__getattr__ = lazy_names(__name__, {"Filter": "mlstore.repository.filter"})
